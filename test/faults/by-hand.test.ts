import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { EFFECT_STEPS, type EffectStep } from '../../domain/steps.js';
import type { FaultRuleInput, Truth } from '../../sandbox/control-client.js';
import { openSandbox, takenBack, type AtSandbox, type Sandboxed } from '../gateway/at-sandbox.js';
import { BACK, doneAndFailed, left, NOTHING_LEFT, registered } from './done-run.js';

/** A person at the provider is quicker than the reversal: before it looks, or between its look and its request. */

type Hand = (at: AtSandbox, truth: Truth) => Promise<unknown>;
const idOf = (truth: Truth, kind: string): string =>
  truth.living.find((one) => one.kind === kind)?.id ?? 'none';
const accountPath = async (at: AtSandbox): Promise<string> =>
  `/client/v4/accounts/${(await registered(at)).account}`;

const paymentOf = ({ stripe }: Truth): string =>
  (stripe['paymentIntents'] as readonly { readonly id: string }[])[0]?.id ?? 'none';
const cancels: Hand = (at, truth) =>
  at.byHand('DELETE', `/v1/subscriptions/${idOf(truth, 'subscription')}`);
const refunds =
  (amount: number): Hand =>
  (at, truth) =>
    at.byHand('POST', '/v1/refunds', {
      payment_intent: paymentOf(truth),
      amount: String(amount),
    });
const deletesCustomer: Hand = (at, truth) =>
  at.byHand('DELETE', `/v1/customers/${idOf(truth, 'customer')}`);
const renewsNoMore: Hand = async (at) =>
  at.byHand(
    'PATCH',
    `${await accountPath(at)}/registrar/registrations/${(await registered(at)).domain}`,
    { auto_renew: false },
  );
const deletesRecords: Hand = (at, { cloudflare }) => {
  const records = cloudflare['records'] as { id: string; zoneId: string; type: string }[];
  const { id, zoneId } = records.find(({ type }) => type === 'TXT') ?? { id: '', zoneId: '' };
  return at.byHand('DELETE', `/client/v4/zones/${zoneId}/dns_records/${id}`);
};
const deletesWorker: Hand = async (at, truth) =>
  at.byHand('DELETE', `${await accountPath(at)}/workers/scripts/${idOf(truth, 'worker')}`);
const detaches: Hand = async (at, truth) =>
  at.byHand('DELETE', `${await accountPath(at)}/workers/domains/${idOf(truth, 'custom-domain')}`);

const CF = '/client/v4/accounts/*';
interface Case {
  readonly step: EffectStep;
  readonly what: string;
  readonly hand: Hand;
  /** The reversal's own request, which the hand overtakes. */
  readonly request: Pick<FaultRuleInput, 'provider' | 'method' | 'path'>;
  readonly refunds?: readonly number[];
}
const CASES: readonly Case[] = [
  {
    step: 'create-customer',
    what: 'deleted the customer',
    hand: deletesCustomer,
    request: { provider: 'stripe', method: 'DELETE', path: '/v1/customers/*' },
  },
  {
    step: 'start-subscription',
    what: 'cancelled the subscription',
    hand: cancels,
    request: { provider: 'stripe', method: 'DELETE', path: '/v1/subscriptions/*' },
  },
  {
    step: 'start-subscription',
    what: 'given the charge back',
    hand: refunds(1900),
    request: { provider: 'stripe', method: 'POST', path: '/v1/refunds' },
  },
  {
    step: 'start-subscription',
    what: 'deleted the customer and with it the subscription',
    hand: deletesCustomer,
    request: { provider: 'stripe', method: 'DELETE', path: '/v1/subscriptions/*' },
  },
  {
    step: 'register-domain',
    what: 'turned the renewal off',
    hand: renewsNoMore,
    request: { provider: 'cloudflare', method: 'PATCH', path: `${CF}/registrar/registrations/*` },
  },
  {
    step: 'configure-dns',
    what: 'deleted the records',
    hand: deletesRecords,
    request: {
      provider: 'cloudflare',
      method: 'POST',
      path: '/client/v4/zones/*/dns_records/batch',
    },
  },
  {
    step: 'deploy-site',
    what: 'deleted the Worker',
    hand: deletesWorker,
    request: { provider: 'cloudflare', method: 'DELETE', path: `${CF}/workers/scripts/*` },
  },
  {
    step: 'attach-domain',
    what: 'detached the domain',
    hand: detaches,
    request: { provider: 'cloudflare', method: 'DELETE', path: `${CF}/workers/domains/*` },
  },
];

let sandbox: Sandboxed;
beforeAll(async () => {
  sandbox = await openSandbox({ httpTimeoutMs: 8_000 });
}, 120_000);
afterAll(() => sandbox.close());

/** Takes everything back; at its step, the hand comes first or overtakes the request. */
async function overtaken(at: AtSandbox, one: Case, when: 'before' | 'between') {
  const runId = await doneAndFailed(at);
  const outcomes: Record<string, string> = {};
  for (const step of [...EFFECT_STEPS].reverse()) {
    const truth = () => at.control.truth(at.world);
    if (step !== one.step) outcomes[step] = await takenBack(at, runId, step);
    else if (when === 'before') {
      await one.hand(at, await truth());
      outcomes[step] = await takenBack(at, runId, step);
    } else {
      await at.control.faults(at.world, [{ ...one.request, fault: 'slow', ms: 2_500 }]);
      const going = takenBack(at, runId, step);
      while (!(await truth()).requests.some(({ fault }) => fault === 'slow'));
      await one.hand(at, await truth());
      outcomes[step] = await going;
    }
  }
  const { phase } = await at.gateway.finish(runId, 'taken back');
  return { outcomes, phase };
}

test.each(
  (['before', 'between'] as const).flatMap((when) => CASES.map((one) => ({ ...one, when }))),
)(
  '$step: a person has $what $when the look and the request of its reversal: nothing twice, nobody called',
  async (one) => {
    const at = await sandbox.open(
      `${one.when}-${CASES.findIndex(({ what }) => what === one.what)}`,
    );
    try {
      expect(await overtaken(at, one, one.when)).toEqual({ outcomes: BACK, phase: 'reversed' });
      expect(left(await at.control.truth(at.world))).toEqual(NOTHING_LEFT);
    } finally {
      await at.close();
    }
  },
  60_000,
);

test('a charge that a person has given back in part is given back for the rest, and no more', async () => {
  const at = await sandbox.open('in-part');
  try {
    const runId = await doneAndFailed(at);
    await refunds(500)(at, await at.control.truth(at.world));
    for (const step of [...EFFECT_STEPS].reverse())
      expect([step, await takenBack(at, runId, step)]).toEqual([step, BACK[step]]);
    const { refunds: given, ...rest } = left(await at.control.truth(at.world));
    expect({ ...rest, refunds: [...given].sort() }).toEqual({
      ...NOTHING_LEFT,
      refunds: [1400, 500],
    });
    expect((await at.gateway.report(runId)).spentMinor).toBe(1120);
  } finally {
    await at.close();
  }
}, 60_000);

test('a domain that support has deleted and refunded is not said to stay', async () => {
  const at = await sandbox.open('refunded');
  try {
    const runId = await doneAndFailed(at);
    for (const step of ['attach-domain', 'deploy-site', 'configure-dns'] as const)
      await takenBack(at, runId, step);
    const { domain } = await registered(at);
    await at.control.people(at.world, { do: 'support-refund', domain });
    expect(await takenBack(at, runId, 'register-domain')).toBe('mitigated');
    const { residue } = await at.gateway.report(runId);
    expect(residue.find(({ step }) => step === 'register-domain')?.text).toContain(
      `${domain} is not registered here any more`,
    );
  } finally {
    await at.close();
  }
}, 60_000);
