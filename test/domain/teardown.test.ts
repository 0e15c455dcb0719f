import { expect, test } from '@jest/globals';
import { buildTeardown, TEARDOWN_STEPS } from '../../domain/build-teardown.js';
import type { Made } from '../../domain/build-teardown.js';
import type { ActionDocument } from '../../domain/documents.js';
import { parseRunId } from '../../domain/ids.js';
import type { Plan } from '../../domain/plan.js';
import { builtInPolicy } from '../../domain/policy/built-in.js';
import { decideAction } from '../../domain/policy/decide.js';
import { type Policy, policyDigestOf } from '../../domain/policy/schema.js';
import type { Request } from '../../domain/request.js';
import { instance, nowMs, planWith, requestWith } from './fixtures.js';

const made = (step: Made['step'], change: Partial<Made> = {}): Made => ({
  step,
  object: `${step}-object`,
  account: 'a'.repeat(32),
  digest: `sha256:${'1'.repeat(64)}`,
  params: {},
  paidMinor: step === 'register-domain' ? 1_120 : 0,
  usedBy: [],
  ...change,
});
const ALL = TEARDOWN_STEPS.map((step) => made(step));

const asks = (changes: Record<string, unknown> = {}) =>
  requestWith({ tearsDown: 'launch-7', ...changes });

function teardown(
  policy: Policy,
  { request = asks(), things = ALL }: { request?: Request; things?: readonly Made[] } = {},
): Plan {
  return buildTeardown({
    instance,
    runId: parseRunId('gone'),
    revision: 1,
    request,
    policy,
    policyVersion: 1,
    policyDigest: policyDigestOf(policy),
    nowMs,
    made: things,
    anomalies: [],
  });
}

/** A policy that would let everything happen by itself. */
const FREE = builtInPolicy({ override: { tiers: [{ step: '*', tier: 'autonomous' }], terms: [] } });

test.each([
  ['production', 'sign-off'],
  ['staging', 'approve'],
  ['development', 'approve'],
] as const)('in %s a teardown asks for %s, whatever the tiers say', (environment, tier) => {
  const { denials, gates, steps } = teardown(FREE, { request: asks({ environment }) });
  expect(denials).toEqual([]);
  expect(steps.map((step) => step.tier)).toEqual(TEARDOWN_STEPS.map(() => tier));
  expect(gates.map(({ gate, steps: covered }) => [gate, covered])).toEqual([
    ['plan', [...TEARDOWN_STEPS]],
  ]);
});

test('what may not be made any more may still be taken down', () => {
  const none = builtInPolicy({
    override: { services: [], domains: { ...builtInPolicy().domains, tlds: ['example'] } },
  });
  expect(planWith({ policy: none }).denials).not.toEqual([]);
  expect(teardown(none).denials).toEqual([]);
});

test('it costs nothing, and says what stays and what was paid for it', () => {
  const { steps, totalMaxMinor, worstCase } = teardown(FREE);
  expect([totalMaxMinor, worstCase.at(-1)?.lossMinor]).toEqual([0, 1_120]);
  expect(steps.map(({ residue }) => residue.text)).not.toContain('');
});

test('what another run counts upon denies the whole plan, by that run’s name', () => {
  const things = ALL.map((one) =>
    one.step === 'start-subscription' ? { ...one, usedBy: ['launch-8'] } : one,
  );
  const { denials, gates } = teardown(FREE, { things });
  expect(denials.map(({ message }) => message)).toEqual([
    'start-subscription-object was adopted by launch-8',
  ]);
  expect(gates).toEqual([]);
});

test('with nothing left to tear down there is nothing to agree to', () => {
  expect(teardown(FREE, { things: [] }).denials.map(({ message }) => message)).toEqual([
    'nothing of launch-7 is left to tear down',
  ]);
});

test('no other run tears anything down, and a teardown makes nothing', () => {
  const [ends] = teardown(FREE).steps;
  const [makes] = planWith({ policy: FREE }).steps;
  if (ends?.action === undefined || makes?.action === undefined) throw new Error('no action');
  const judged = (request: Request, action: ActionDocument) =>
    decideAction(FREE, { request, action, nowMs });
  expect(judged(requestWith(), ends.action)).toMatchObject({ verdict: 'denied' });
  expect(judged(asks(), makes.action)).toMatchObject({ verdict: 'denied' });
  expect(judged(asks({ tearsDown: 'launch-8' }), ends.action)).toMatchObject({ verdict: 'denied' });
  expect(judged(asks(), { ...ends.action, costMaxMinor: 1 })).toMatchObject({ verdict: 'denied' });
  expect(judged(asks(), ends.action)).toMatchObject({ verdict: 'sign-off' });
});
