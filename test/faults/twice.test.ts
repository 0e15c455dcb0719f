import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { EFFECT_STEPS, type EffectStep } from '../../domain/steps.js';
import type { Truth } from '../../sandbox/control-client.js';
import { globMatches } from '../../sandbox/core/faults.js';
import {
  mayBeTriedAgain,
  openSandbox,
  performed,
  takenBack,
  upTo,
  type AtSandbox,
  type Sandboxed,
} from '../gateway/at-sandbox.js';
import { approved, sender } from '../gateway/house.js';
import { BACK, doneAndFailed, failed, left, NOTHING_LEFT, planned } from './done-run.js';

/** The same thing asked for twice, at once and one after the other, by senders that know nothing of each other. */

let sandbox: Sandboxed;
beforeAll(async () => {
  sandbox = await openSandbox();
}, 120_000);
afterAll(() => sandbox.close());

const ACCOUNT = '/client/v4/accounts/*';
const DOES: Readonly<Record<EffectStep, readonly [string, string]>> = {
  'create-customer': ['POST', '/v1/customers'],
  'link-account': ['POST', '/client/v4/accounts'],
  'start-subscription': ['POST', '/v1/subscriptions'],
  'register-domain': ['POST', `${ACCOUNT}/registrar/registrations`],
  'configure-dns': ['POST', '/client/v4/zones/*/dns_records/batch'],
  'deploy-site': ['PUT', `${ACCOUNT}/workers/scripts/*`],
  'attach-domain': ['PUT', `${ACCOUNT}/workers/domains`],
};
const UNDOES: Readonly<Record<string, readonly [string, string]>> = {
  'create-customer': ['DELETE', '/v1/customers/*'],
  'start-subscription': ['DELETE', '/v1/subscriptions/*'],
  refund: ['POST', '/v1/refunds'],
  'deploy-site': ['DELETE', `${ACCOUNT}/workers/scripts/*`],
  'attach-domain': ['DELETE', `${ACCOUNT}/workers/domains/*`],
};

/** How often each of these requests went out. */
const sent = ({ requests }: Truth, of: Readonly<Record<string, readonly [string, string]>>) =>
  Object.fromEntries(
    Object.entries(of).map(([name, [method, path]]) => [
      name,
      requests.filter((one) => one.method === method && globMatches(path, one.path)).length,
    ]),
  );
const each = (of: object, times: number) =>
  Object.fromEntries(Object.keys(of).map((name) => [name, times]));

/** Both at once; one that has to wait for the other says so, and in no other way does one fail. */
async function both<T>(body: () => Promise<T>): Promise<readonly T[]> {
  const settled = await Promise.allSettled([body(), body()]);
  return settled.flatMap((one) => {
    if (one.status === 'fulfilled') return [one.value];
    if (!mayBeTriedAgain(one.reason)) throw one.reason;
    return [];
  });
}

const refusedAs = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'done',
    (error: unknown) => (error as { code?: string }).code,
  );

test('every action called twice at once, and again when it is done, is one request and one object', async () => {
  const at = await sandbox.open('actions');
  try {
    const runId = await planned(at);
    for (const step of EFFECT_STEPS) {
      if (step === 'register-domain') await approved(at, runId, step);
      const answers = await both(() => at.gateway.perform(runId, step, sender()));
      const done = await performed(at, runId, step);
      const again = await at.gateway.perform(runId, step, sender());
      expect([...answers, again].map(({ object }) => [step, object])).toEqual(
        [...answers, again].map(() => [step, done.object]),
      );
    }
    const truth = await at.control.truth(at.world);
    expect(sent(truth, DOES)).toEqual(each(DOES, 1));
    expect(left(truth).charges).toEqual([
      [1900, 0],
      [1120, 0],
    ]);
  } finally {
    await at.close();
  }
}, 120_000);

test('every reversal called twice at once, and again when it is done, takes back once; then no action begins', async () => {
  const at = await sandbox.open('reversals');
  try {
    const runId = await doneAndFailed(at);
    for (const step of [...EFFECT_STEPS].reverse()) {
      await both(() => at.gateway.reverse(runId, step, sender()));
      expect([step, await takenBack(at, runId, step)]).toEqual([step, BACK[step]]);
      expect([step, await takenBack(at, runId, step)]).toEqual([step, BACK[step]]);
    }
    const before = await at.control.truth(at.world);
    expect(left(before)).toEqual(NOTHING_LEFT);
    expect(sent(before, UNDOES)).toEqual(each(UNDOES, 1));
    for (const step of EFFECT_STEPS)
      expect([step, await refusedAs(at.gateway.perform(runId, step, sender()))]).toEqual([
        step,
        'DOOR_CLOSED',
      ]);
    expect((await at.control.truth(at.world)).requests).toHaveLength(before.requests.length);
  } finally {
    await at.close();
  }
}, 120_000);

test('every reversal that comes before its action leaves a tombstone: the action is refused, and nobody is asked for anything', async () => {
  const at = await sandbox.open('tombstones');
  try {
    const runId = await planned(at);
    for (const step of EFFECT_STEPS)
      expect([step, await refusedAs(at.gateway.reverse(runId, step, sender()))]).toEqual([
        step,
        'NO_CAUSE',
      ]);
    await failed(at, runId, 'create-customer');
    const before = await at.control.truth(at.world);
    for (const step of EFFECT_STEPS) {
      expect([step, await takenBack(at, runId, step)]).toEqual([step, 'never-happened']);
      expect([step, await refusedAs(at.gateway.perform(runId, step, sender()))]).toEqual([
        step,
        'DOOR_CLOSED',
      ]);
    }
    expect((await at.control.truth(at.world)).requests).toHaveLength(before.requests.length);
    const rows = await at.db.selectFrom('effects').select(['tombstone', 'state']).execute();
    expect(rows).toEqual(EFFECT_STEPS.map(() => ({ tombstone: true, state: 'closed' })));
  } finally {
    await at.close();
  }
}, 120_000);

/** The action goes on its way, and in the same moment the run fails and the step is taken back. */
async function raced(at: AtSandbox, step: EffectStep) {
  const runId = await planned(at);
  const index = EFFECT_STEPS.indexOf(step);
  const former = EFFECT_STEPS[index - 1];
  if (former !== undefined) await upTo(at, runId, former, []);
  if (step === 'register-domain') await approved(at, runId, step);
  const [action, outcome] = await Promise.all([
    refusedAs(at.gateway.perform(runId, step, sender())),
    failed(at, runId, 'attach-domain').then(() => takenBack(at, runId, step)),
  ]);
  for (const other of EFFECT_STEPS.slice(0, index).reverse()) await takenBack(at, runId, other);
  for (const later of EFFECT_STEPS.slice(index + 1)) await takenBack(at, runId, later);
  const { phase } = await at.gateway.finish(runId, 'taken back');
  return { action, outcome, phase, left: left(await at.control.truth(at.world)) };
}

test.each(EFFECT_STEPS)(
  '%s and its reversal at once: done and taken back, or never done; nothing is left of it',
  async (step) => {
    const at = await sandbox.open(`race-${step}`);
    try {
      const seen = await raced(at, step);
      expect([BACK[step], 'never-happened']).toContain(seen.outcome);
      expect(seen.phase).toBe('reversed');
      expect(seen.left.living).toEqual([]);
      for (const [paid, given] of seen.left.charges) if (paid === 1900) expect(given).toBe(1900);
      // What is said to have never happened was not answered as done.
      if (seen.outcome === 'never-happened') expect(seen.action).not.toBe('done');
    } finally {
      await at.close();
    }
  },
  120_000,
);
