import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { WORLD } from '../../cli/demo/stage.js';
import { expectLive, expectTakenBack, foundOf } from '../../cli/demo/verdict.js';
import type { FaultRuleInput } from '../../sandbox/control-client.js';
import { globMatches } from '../../sandbox/core/faults.js';
import { approve, ended, openTestStage, type TestStage } from '../helpers/stage.js';

/** The request that changes the world, for each step. */
const CHANGES = {
  'create-customer': { provider: 'stripe', method: 'POST', path: '/v1/customers' },
  'link-account': { provider: 'cloudflare', method: 'POST', path: '/client/v4/accounts' },
  'start-subscription': { provider: 'stripe', method: 'POST', path: '/v1/subscriptions' },
  'register-domain': {
    provider: 'cloudflare',
    method: 'POST',
    path: '/client/v4/accounts/*/registrar/registrations',
  },
  'configure-dns': {
    provider: 'cloudflare',
    method: 'POST',
    path: '/client/v4/zones/*/dns_records/**',
  },
  'deploy-site': {
    provider: 'cloudflare',
    method: 'PUT',
    path: '/client/v4/accounts/*/workers/scripts/*',
  },
  'attach-domain': {
    provider: 'cloudflare',
    method: 'PUT',
    path: '/client/v4/accounts/*/workers/domains',
  },
} as const;
const KINDS = ['act-then-drop', 'act-then-500', 'hang', '409', '429', 'refuse'] as const;
/** More runs than kinds: a run that is refused early does not get to the later steps. */
const RUNS = Array.from({ length: 14 }, (_, index) => ({
  runId: `fault-${index + 1}`,
  domain: `patient-cooper-${index + 1}.club`,
}));

let stage: TestStage;
beforeAll(async () => {
  stage = await openTestStage();
}, 400_000);
afterAll(() => stage.close(), 60_000);

test('whatever a provider does to the request of whichever step, a run is live with one of everything or taken back', async () => {
  // Of the runs side by side, the first to change something at a path meets the first kind, and so on.
  const rules: FaultRuleInput[] = Object.values(CHANGES).flatMap((change) =>
    KINDS.map((fault, index) => ({ ...change, fault, nth: index + 1 })),
  );
  await stage.sandbox.faults(WORLD, rules);
  const states = await Promise.all(
    RUNS.map(async (run) => {
      const handle = await stage.start(run);
      for (const gate of ['plan', 'register-domain'])
        await approve(stage, handle, gate).catch(() => undefined);
      return ended(handle);
    }),
  );
  const truth = await stage.truth();
  const suffered = Object.entries(CHANGES).flatMap(([step, { method, path }]) =>
    truth.requests
      .filter((request) => request.method === method && globMatches(path, request.path))
      .flatMap(({ fault }) => (fault === undefined ? [] : [`${step}: ${fault}`])),
  );
  const cells = Object.keys(CHANGES).flatMap((step) => KINDS.map((fault) => `${step}: ${fault}`));
  expect([...suffered].sort()).toEqual([...cells].sort());
  for (const [index, run] of RUNS.entries()) {
    const { phase, why } = states[index]!;
    const found = foundOf(truth, run);
    expect({ run: run.runId, why, phase }).toEqual({
      run: run.runId,
      why,
      phase: expect.stringMatching(/^(completed|reversed)$/),
    });
    if (phase === 'completed') await expectLive(stage, run);
    else
      await expectTakenBack(stage, run, {
        charged: found.charges.length > 0,
        domain: found.domainCharges.length > 0,
      });
    expect(found.charges.length).toBeLessThanOrEqual(1);
    expect(found.domainCharges.length).toBeLessThanOrEqual(1);
  }
  expect(states.some(({ phase }) => phase === 'completed')).toBe(true);
  expect(states.some(({ phase }) => phase === 'reversed')).toBe(true);
}, 600_000);
