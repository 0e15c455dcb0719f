import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { countedCalls } from '../../gateway/calls.js';
import { createGateway } from '../../gateway/create-gateway.js';
import { PROCESS_CLOCKS } from '../../gateway/deadline.js';
import { createProviders } from '../../gateway/providers.js';
import { noteCall, openBreakers, takeCalls } from '../../store/calls.js';
import { without } from '../door/without.js';
import { admitted, approved, openHouse, perform, sender } from './house.js';
import type { House } from './house.js';

let at: House;
beforeAll(async () => {
  at = await openHouse();
});
afterAll(() => at.close());
afterEach(async () => {
  await at.db.deleteFrom('call_buckets').execute();
  await noteCall(at.db, 'stripe', 'answer');
});

const limits = (perSecond: number, atOnce: number) =>
  at.db
    .updateTable('call_limits')
    .set({ per_second: perSecond, at_once: atOnce, breaks_after: 3, cool_down_ms: 400 })
    .where('provider', '=', 'stripe')
    .execute();

const take = (agent: string, reversal = false, want = 1) =>
  takeCalls(at.db, { provider: 'stripe', agent, reversal, want });

/** Takes until nothing is left; how many there were. */
async function drain(agent: string, reversal = false): Promise<number> {
  for (let count = 0; count < 100; count += 1)
    if ((await take(agent, reversal)).granted === 0) return count;
  throw new Error('it never runs dry');
}

test('one agent leaves the others their share, and all together leave a third to reversals', async () => {
  await limits(0.001, 30);
  expect(await drain('looping')).toBe(10);
  expect(await drain('another')).toBe(10);
  expect(await drain('third')).toBe(0);
  expect(await take('third')).toMatchObject({ granted: 0, why: 'rate' });
  expect(await drain('third', true)).toBe(10);
});

test('without the share of an agent one takes all, and without that of reversals nothing is left to them', async () => {
  await limits(0.001, 30);
  await without(at.db, ['agent-share'], async () => {
    expect(await drain('looping')).toBe(20);
  });
  await at.db.deleteFrom('call_buckets').execute();
  await without(at.db, ['reversal-share'], async () => {
    for (const agent of ['a', 'b', 'c', 'd']) await drain(agent);
    expect(await drain('a', true)).toBe(0);
  });
});

test('two processes never take more than the rate together', async () => {
  await limits(0.001, 30);
  const both = await Promise.all(['a', 'b', 'a', 'b', 'c', 'c'].map((agent) => drain(agent)));
  expect(both.reduce((sum, count) => sum + count, 0)).toBe(20);
});

test('a vendor that counts otherwise and answers 429 empties the bucket', async () => {
  await limits(0.001, 30);
  await take('a');
  await noteCall(at.db, 'stripe', 'limited');
  expect(await take('a', true)).toMatchObject({ granted: 0, why: 'rate' });
});

test('a provider that does not answer opens its breaker, one call tries it, and an answer closes it', async () => {
  await limits(1000, 30);
  for (let i = 0; i < 3; i += 1) await noteCall(at.db, 'stripe', 'none');
  expect(await openBreakers(at.db)).toMatchObject([{ provider: 'stripe' }]);
  const refused = await take('a', true);
  expect(refused).toMatchObject({ granted: 0, why: 'breaker' });
  await without(at.db, ['breaker'], async () => {
    expect((await take('a')).granted).toBe(1);
  });
  const trial = async (): Promise<void> => {
    for (;;) {
      const taken = await take('a');
      if (taken.granted === 0) continue;
      expect(taken.why).toBe('trial');
      return;
    }
  };
  await trial();
  expect(await take('b')).toMatchObject({ granted: 0, why: 'breaker' });
  await noteCall(at.db, 'stripe', 'none');
  expect((await openBreakers(at.db))[0]?.trips).toBe(1);
  await trial();
  await noteCall(at.db, 'stripe', 'answer');
  expect(await openBreakers(at.db)).toEqual([]);
  expect((await take('b')).granted).toBe(1);
  const told = await at.db.selectFrom('notices').select('kind').orderBy('notice_id').execute();
  expect(told.map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(['breaker-open', 'breaker-closed']),
  );
});

test('every request of a run takes its turn, and one that must wait says so before anything is begun', async () => {
  await limits(1000, 30);
  const gateway = createGateway(counting());
  const runId = await admitted(at, 'calls-run');
  await approved(at, runId, 'plan');
  for (let i = 0; i < 3; i += 1) await noteCall(at.db, 'stripe', 'none');
  const before = at.stub.requests.length;
  const told: unknown = await gateway
    .perform(runId, 'create-customer', sender())
    .catch((error: unknown) => error);
  expect(told).toMatchObject({ code: 'PROVIDER_WAITS', details: { why: 'breaker' } });
  expect(await at.parts.door.rows(runId)).toEqual([]);
  expect(at.stub.requests).toHaveLength(before);
  await noteCall(at.db, 'stripe', 'answer');
  await gateway.perform(runId, 'create-customer', sender());
  const { left_over: left } = await at.db
    .selectFrom('call_buckets')
    .select('left_over')
    .where('agent', '=', 'launch-agent')
    .executeTakeFirstOrThrow();
  expect(left).toBeLessThan(10);
});

test('while a provider is down its breaker opens after a few tries, and what is begun then is nothing', async () => {
  await limits(1000, 300);
  const { stub } = at;
  const gateway = createGateway(counting('http://127.0.0.1:9'));
  const runId = await admitted(at, 'calls-outage');
  await approved(at, runId, 'plan');
  // The customer of the run before is adopted.
  await perform(at, runId, 'link-account');
  const codes = new Set<string>();
  // Until the breaker opens each try finds out for itself; from then on nobody asks.
  for (let tries = 0; tries < 12 && !codes.has('PROVIDER_WAITS'); tries += 1) {
    const failed: unknown = await gateway
      .perform(runId, 'start-subscription', sender())
      .catch((error: unknown) => error);
    codes.add((failed as { code: string }).code);
  }
  expect(
    [...codes].filter((code) => !['PROVIDER_UNAVAILABLE', 'PROVIDER_WAITS'].includes(code)),
  ).toEqual([]);
  const rows = await at.parts.door.rows(runId);
  const row = rows.find(({ step }) => step === 'start-subscription');
  expect(row).toMatchObject({ state: 'failed' });
  // Three to open it, and what was taken as a lot before.
  expect(row?.attempt).toBeLessThanOrEqual(7);
  const back = createGateway(counting(stub.origin));
  await noteCall(at.db, 'stripe', 'answer');
  await back.perform(runId, 'start-subscription', sender());
});

/** The house's parts, with every request counted. */
function counting(origin = at.stub.origin) {
  const calls = countedCalls(at.db);
  const held = {
    stripe: { apiKey: `sk_test_main_actions_${'0'.repeat(32)}`, origin },
    cloudflare: { apiToken: `cf_main_actions_${'0'.repeat(32)}`, origin },
  };
  const credentials = { actions: held, compensations: held, reads: held };
  return { ...at.parts, calls, providers: createProviders(credentials, PROCESS_CLOCKS, calls) };
}
