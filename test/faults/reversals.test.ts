import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RunId } from '../../domain/ids.js';
import { EFFECT_STEPS, type EffectStep } from '../../domain/steps.js';
import type { FaultRuleInput, Truth } from '../../sandbox/control-client.js';
import { globMatches } from '../../sandbox/core/faults.js';
import { openSandbox, takenBack, type AtSandbox, type Sandboxed } from '../gateway/at-sandbox.js';
import { BACK, doneAndFailed, left, NOTHING_LEFT } from './done-run.js';

/**
 * Every reversal under every fault: the real gateway with its database, the real SDKs, the real sandbox. One world for
 * each fault; in it a whole run is done and then taken back, with the fault at each request that takes something back.
 */

/** The requests that take something back. A released account asks for nothing. */
const CHANGES = {
  'create-customer': { provider: 'stripe', method: 'DELETE', path: '/v1/customers/*' },
  'start-subscription': { provider: 'stripe', method: 'DELETE', path: '/v1/subscriptions/*' },
  refund: { provider: 'stripe', method: 'POST', path: '/v1/refunds' },
  'register-domain': {
    provider: 'cloudflare',
    method: 'PATCH',
    path: '/client/v4/accounts/*/registrar/registrations/*',
  },
  'configure-dns': {
    provider: 'cloudflare',
    method: 'POST',
    path: '/client/v4/zones/*/dns_records/batch',
  },
  'deploy-site': {
    provider: 'cloudflare',
    method: 'DELETE',
    path: '/client/v4/accounts/*/workers/scripts/*',
  },
  'attach-domain': {
    provider: 'cloudflare',
    method: 'DELETE',
    path: '/client/v4/accounts/*/workers/domains/*',
  },
} as const;
/** What is looked at before and after. */
const LOOKS = [
  { provider: 'stripe', path: '/v1/customers/*' },
  { provider: 'stripe', path: '/v1/subscriptions/*' },
  { provider: 'stripe', path: '/v1/refunds' },
  { provider: 'stripe', path: '/v1/invoices' },
  { provider: 'cloudflare', path: '/client/v4/accounts/*/registrar/registrations/*' },
  { provider: 'cloudflare', path: '/client/v4/zones/*/dns_records' },
  { provider: 'cloudflare', path: '/client/v4/accounts/*/workers/scripts/*/deployments' },
  { provider: 'cloudflare', path: '/client/v4/accounts/*/workers/domains' },
] as const;

type Fault = Omit<FaultRuleInput, 'provider' | 'method' | 'path'>;
interface Case {
  readonly title: string;
  readonly fault: Fault;
  readonly on: 'changes' | 'looks';
  /** What is stuck, and as what, until a person says that it is tried again; everything else is done at once. */
  readonly stuck?: Readonly<Partial<Record<EffectStep, string>>>;
}

const CLOUDFLARE_REFUSES = {
  'register-domain': 'COMPENSATION_FAILED',
  'configure-dns': 'COMPENSATION_FAILED',
  // A site is not deleted under a domain that still leads to it; the workflow does not even ask for it.
  'deploy-site': 'USED_BY_OTHERS',
  'attach-domain': 'COMPENSATION_FAILED',
} as const;
const STRIPE_REFUSES = {
  'create-customer': 'COMPENSATION_FAILED',
  'start-subscription': 'COMPENSATION_FAILED',
} as const;
const UNREADABLE = Object.fromEntries(
  Object.keys({ ...CLOUDFLARE_REFUSES, ...STRIPE_REFUSES }).map((step) => [
    step,
    'PROVIDER_REFUSED',
  ]),
);

const CASES: readonly Case[] = [
  { title: 'acts, and its answer is lost', fault: { fault: 'act-then-drop' }, on: 'changes' },
  {
    title: 'acts, and the answers to the first three tries are lost',
    fault: { fault: 'act-then-drop', times: 3 },
    on: 'changes',
  },
  { title: 'acts, and answers 500', fault: { fault: 'act-then-500' }, on: 'changes' },
  {
    title: 'acts, and answers a 500 that is kept under the key',
    fault: { fault: 'act-then-500', stored: true },
    on: 'changes',
  },
  {
    title: 'does nothing, and answers a 500 that is kept under the key',
    fault: { fault: 'stored-500' },
    on: 'changes',
  },
  { title: 'never acts and never answers', fault: { fault: 'hang' }, on: 'changes' },
  { title: 'acts and never answers', fault: { fault: 'hang', act: true }, on: 'changes' },
  { title: 'acts late', fault: { fault: 'slow', ms: 300 }, on: 'changes' },
  { title: 'acts, and shows it late', fault: { fault: 'lag', ms: 5_000 }, on: 'changes' },
  { title: 'is rate-limited three times', fault: { fault: '429', times: 3 }, on: 'changes' },
  {
    title: 'conflicts with something under way',
    fault: { fault: '409' },
    on: 'changes',
    // With a code of its own, Cloudflare's conflict may be final: a person is asked.
    stuck: CLOUDFLARE_REFUSES,
  },
  {
    title: 'is refused',
    fault: { fault: 'refuse' },
    on: 'changes',
    stuck: { ...CLOUDFLARE_REFUSES, ...STRIPE_REFUSES },
  },
  { title: 'cannot be looked at: 500', fault: { fault: 'act-then-500' }, on: 'looks' },
  { title: 'cannot be looked at: no answer', fault: { fault: 'act-then-drop' }, on: 'looks' },
  { title: 'cannot be looked at: rate-limited', fault: { fault: '429', times: 2 }, on: 'looks' },
  {
    title: 'is not allowed to be looked at',
    fault: { fault: 'refuse' },
    on: 'looks',
    stuck: UNREADABLE,
  },
];

interface Played {
  readonly first: Readonly<Record<string, string>>;
  readonly again: Readonly<Record<string, string>>;
  readonly end: string;
  readonly spentMinor: number;
  readonly truth: Truth;
}

let sandbox: Sandboxed;
beforeAll(async () => {
  // Short, so that what never answers is given up soon.
  sandbox = await openSandbox({ httpTimeoutMs: 500 });
}, 120_000);
afterAll(() => sandbox.close());

/** Takes every step back, last first; what fails for good is told by its code. */
async function allBack(at: AtSandbox, runId: RunId, steps: readonly EffectStep[]) {
  const outcomes: Record<string, string> = {};
  for (const step of [...steps].reverse())
    outcomes[step] = await takenBack(at, runId, step).catch(
      (error: unknown) => (error as { code?: string }).code ?? String(error),
    );
  return outcomes;
}

/** Failure codes are in capitals, outcomes are not. */
const stuckIn = (outcomes: Readonly<Record<string, string>>): readonly EffectStep[] =>
  EFFECT_STEPS.filter((step) => /^[A-Z_]+$/.test(outcomes[step] ?? ''));

async function played({ title, fault, on }: Case): Promise<Played> {
  const at = await sandbox.open(title.replaceAll(/[^a-z0-9]+/g, '-'));
  try {
    const runId = await doneAndFailed(at);
    const places =
      on === 'changes'
        ? Object.values(CHANGES)
        : LOOKS.map((look) => ({ ...look, method: 'GET' as const }));
    await at.control.faults(
      at.world,
      places.map((place) => ({ ...place, ...fault })),
    );
    const first = await allBack(at, runId, EFFECT_STEPS);
    let again = first;
    // A person's retry: what is made of several requests may be refused at each of them.
    for (let word = 0; word < 4 && stuckIn(again).length > 0; word += 1)
      again = { ...again, ...(await allBack(at, runId, stuckIn(again))) };
    const { phase, spentMinor } = await at.gateway.finish(runId, 'taken back');
    const truth = await at.control.truth(at.world);
    return { first, again, end: phase, spentMinor, truth };
  } finally {
    await at.close();
  }
}

/** Each place where the fault was armed, and whether a request met it there. */
const unmet = ({ requests }: Truth, { on, fault }: Case): readonly string[] =>
  (on === 'changes'
    ? Object.values(CHANGES)
    : LOOKS.map((look) => ({ ...look, method: 'GET' as const }))
  )
    .filter(
      ({ method, path }) =>
        !requests.some(
          (request) =>
            request.fault === fault.fault &&
            request.method === method &&
            globMatches(path, request.path),
        ),
    )
    .map(({ method, path }) => `${method} ${path}`);

test.each(CASES.map((one) => [one.title, one] as const))(
  'a reversal whose request %s is done exactly once, or stuck by name until it is tried again',
  async (_title, one) => {
    const { first, again, end, spentMinor, truth } = await played(one);
    expect(first).toEqual({ ...BACK, ...one.stuck });
    expect(again).toEqual(BACK);
    expect(unmet(truth, one)).toEqual([]);
    expect(left(truth)).toEqual(NOTHING_LEFT);
    expect({ end, spentMinor }).toEqual({ end: 'reversed', spentMinor: 1120 });
    expect(truth.unknownRoutes).toEqual([]);
  },
  120_000,
);
