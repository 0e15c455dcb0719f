import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { inventory } from '../../activities/inventory.js';
import { Failure } from '../../domain/errors.js';
import type { RunId } from '../../domain/ids.js';
import type { EffectStep } from '../../domain/steps.js';
import { countedCalls } from '../../gateway/calls.js';
import type { Gateway } from '../../gateway/contract.js';
import { createGateway } from '../../gateway/create-gateway.js';
import { PROCESS_CLOCKS } from '../../gateway/deadline.js';
import type { Parts } from '../../gateway/parts.js';
import { createProviders } from '../../gateway/providers.js';
import { reconcile } from '../../gateway/reconcile.js';
import { without } from '../door/without.js';
import { mayBeTriedAgain, openSandbox, upTo } from './at-sandbox.js';
import type { AtSandbox, Sandboxed } from './at-sandbox.js';
import { admitted, approved, sender } from './house.js';

/** What the allowed rate comes to at the provider: by the sandbox's own log of what reached it, not by our buckets. */
let sandbox: Sandboxed;
let at: AtSandbox;
beforeAll(async () => {
  sandbox = await openSandbox();
});
afterAll(() => sandbox.close());
afterEach(() => at.close());

/** A lot may lie in a process for so long before its calls leave. In s. */
const LOT_S = 1;

async function limited(perSecond: number, atOnce: number): Promise<void> {
  await at.db.deleteFrom('call_buckets').execute();
  await at.db
    .updateTable('call_limits')
    .set({ per_second: perSecond, at_once: atOnce })
    .where('provider', '=', 'stripe')
    .execute();
}

/** The parts of one more process, whose requests are counted. */
function counting(): Parts {
  const calls = countedCalls(at.parts.db);
  const providers = createProviders(at.settings.credentials, PROCESS_CLOCKS, calls);
  return { ...at.parts, calls, providers };
}

/** When each request reached Stripe's stand-in, in s, from the `from`th on. */
async function reached(from = 0): Promise<number[]> {
  const { requests } = await at.control.truth(at.world);
  return requests
    .filter(({ provider }) => provider === 'stripe')
    .slice(from)
    .map((request) => request.at / 1_000)
    .sort((a, b) => a - b);
}

/** The most requests that ever reached it within so many seconds. */
const mostWithin = (times: readonly number[], seconds: number): number =>
  Math.max(0, ...times.map((from) => times.filter((t) => t >= from && t < from + seconds).length));

async function readyRun(name: string): Promise<RunId> {
  const runId = await admitted(at, name);
  await approved(at, runId, 'plan');
  return runId;
}

/** Tries until it is done, waiting as long as it is told to. */
async function insist(gateway: Gateway, runId: RunId, step: EffectStep): Promise<void> {
  for (;;) {
    try {
      await gateway.perform(runId, step, sender());
      return;
    } catch (error) {
      if (!(error instanceof Failure) || !mayBeTriedAgain(error)) throw error;
      await pause(Math.min(error.retryAfterMs ?? 50, 500));
    }
  }
}

/** Two processes read and pay as fast as they can; answers when each request arrived. */
async function stampede(world: string): Promise<number[]> {
  at = await sandbox.open(world);
  const runs = [await readyRun('first')];
  await limited(8, 12);
  const from = (await reached()).length;
  const both = [counting(), counting()];
  const reads = both.map(async (parts) => {
    for (let i = 0; i < 12; i += 1)
      await parts.providers
        .forReading('reads')
        .stripe.customers.list({ limit: 1 })
        .catch(() => undefined);
  });
  const gateways = both.map(createGateway);
  const pays = runs.map(async (runId, i) => {
    for (const step of ['create-customer', 'link-account', 'start-subscription'] as const)
      await insist(gateways[i % 2]!, runId, step);
  });
  await Promise.all([...reads, ...pays]);
  return reached(from);
}

test('what reaches Stripe in any second stays within the rate, whoever asks: two processes, runs and reads', async () => {
  const times = await stampede('rate');
  expect(times.length).toBeGreaterThan(24);
  for (const seconds of [1, 2, 3])
    expect(mostWithin(times, seconds)).toBeLessThanOrEqual(12 + 8 * (seconds + LOT_S));
}, 300_000);

test('while runs that go forward wait for the rate, a reversal goes through on the third that is kept for it', async () => {
  at = await sandbox.open('kept');
  // Planned first: of what the other has, it would adopt its customer.
  const forward = await readyRun('forth');
  const runId = await admitted(at, 'back');
  await approved(at, runId, 'plan');
  await upTo(at, runId, 'start-subscription');
  await at.gateway.stopRun(runId, 'p_ada', 'enough', 'unwind');
  const { steps } = await at.gateway.closeDoor(runId, { kind: 'stopped' });
  // Nothing flows back while this lasts.
  await limited(0.001, 90);
  const parts = counting();
  const gateway = createGateway(parts);
  const told = await drained(parts);
  expect(told).toBe('rate');
  const waits = await gateway.perform(forward, 'create-customer', sender()).catch(String);
  expect(waits).toMatch(/waits for stripe: the calls that it allows are used up/);
  const from = (await reached()).length;
  const outcome = await takenBack(gateway, runId, 'start-subscription');
  expect([steps.includes('start-subscription'), outcome]).toEqual([true, 'reversed']);
  const used = (await reached(from)).length;
  expect(used).toBeGreaterThan(4);
  expect(used).toBeLessThanOrEqual(30);
  // Without that third the same reversal would wait behind the runs that go forward.
  await without(at.db, ['reversal-share'], async () => {
    await limited(0.001, 90);
    await drained(counting(), 200);
    const [left] = await bucket();
    expect(left).toBeLessThan(4);
  });
}, 300_000);

/** Reads, for nobody in particular, until the rate is used up; answers why it has to wait then. */
async function drained(parts: Parts, most = 100): Promise<unknown> {
  for (let i = 0; i < most; i += 1) {
    const { stripe } = parts.providers.forReading('reads');
    const failed = await stripe.customers.list({ limit: 1 }).then(
      () => undefined,
      () => 'rate',
    );
    if (failed !== undefined) return failed;
  }
  return undefined;
}

async function takenBack(gateway: Gateway, runId: RunId, step: EffectStep): Promise<string> {
  for (let round = 0; round < 30; round += 1) {
    const answer = await gateway.reverse(runId, step, sender()).catch((error: unknown) => error);
    if (answer instanceof Failure && mayBeTriedAgain(answer)) await at.wait(1_000);
    else if (answer instanceof Error) throw answer;
    else {
      const reversed = answer as Awaited<ReturnType<Gateway['reverse']>>;
      if (reversed.done) return reversed.report.outcome;
      await at.wait(reversed.waitMs + 1);
    }
  }
  return 'not in 30 rounds';
}

const bucket = async (): Promise<number[]> =>
  (
    await at.db
      .selectFrom('call_buckets')
      .select('left_over')
      .where('provider', '=', 'stripe')
      .where('agent', '=', '')
      .execute()
  ).map(({ left_over: left }) => left);

test('reads outside of runs are counted too: reconcile takes from the account, and leaves the third to reversals', async () => {
  at = await sandbox.open('outside');
  await upTo(at, await readyRun('held'), 'start-subscription');
  await limited(0.001, 90);
  const from = (await reached()).length;
  expect((await reconcile(counting(), inventory)).unread).toEqual([]);
  const asked = (await reached(from)).length;
  expect(asked).toBeGreaterThan(3);
  const [left = 90] = await bucket();
  // Lots of four: at most three calls are taken and not made.
  expect(90 - left).toBeGreaterThanOrEqual(asked);
  expect(90 - left).toBeLessThan(asked + 4);
  // No agent pays for it.
  const agents = await at.db.selectFrom('call_buckets').select('agent').execute();
  expect(new Set(agents.map(({ agent }) => agent))).toEqual(new Set(['']));
  const parts = counting();
  await drained(parts);
  const outcome = await reconcile(parts, inventory);
  expect(outcome.unread).toMatchObject([{ area: 'stripe' }]);
  expect((await bucket())[0]).toBeGreaterThanOrEqual(30);
}, 300_000);
