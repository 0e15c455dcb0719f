import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { stripeCollections } from '../../activities/stripe/pause-collection.js';
import type { Digest, EffectId, RunId } from '../../domain/ids.js';
import { inventory } from '../../activities/inventory.js';
import { createPauseDoor } from '../../gateway/pause-door.js';
import { pauseDue } from '../../gateway/pauses.js';
import { reconcile } from '../../gateway/reconcile.js';
import { layersOf } from '../../gateway/stop-layers.js';
import { stop } from '../../gateway/stop.js';
import { countPauses } from '../../store/pauses.js';
import { without } from '../door/without.js';
import { openSandbox, upTo } from './at-sandbox.js';
import type { AtSandbox, Sandboxed } from './at-sandbox.js';
import { admitted, approved } from './house.js';

/** Subscriptions under a stop: the real requests, at the real sandbox. */
let sandbox: Sandboxed;
let at: AtSandbox;
beforeAll(async () => {
  sandbox = await openSandbox();
});
afterAll(() => sandbox.close());
afterEach(() => at.close());

const MONTH_MS = 32 * 86_400_000;
const UPDATE = { provider: 'stripe', method: 'POST', path: '/v1/subscriptions/*' } as const;
const FIRST = { paused: 1, resumed: 0, left: 0 };
const NOTHING = { paused: 0, resumed: 0, left: 0 };
const LEFT = { paused: 0, resumed: 0, left: 1 };

/** A run that holds a subscription. */
async function subscribed(world: string): Promise<RunId> {
  at = await sandbox.open(world);
  const runId = await admitted(at, 'launch');
  await approved(at, runId, 'plan');
  await upTo(at, runId, 'start-subscription');
  return runId;
}

const pausing = () => pauseDue(at.parts, stripeCollections);

/** A stop that holds and pauses; answers what its payment layer says. */
async function stopped(scope = 'all', pauses = true) {
  await stop(at.parts, { scope, reason: 'enough', by: 'p', proven: true, mode: 'hold', pauses });
  return payment(scope);
}

async function payment(scope = 'all') {
  const record = await at.parts.door.drained(scope);
  const seen = { at: record.fencedAt, runs: 0, silent: 0 };
  const layers = layersOf(await at.parts.door.layers(scope), record, seen);
  return layers.find(({ layer }) => layer === 'payment');
}

let lifts = 0;
async function lifted(scope = 'all'): Promise<void> {
  lifts += 1;
  const statementDigest = `sha256:${String(lifts).padStart(64, '0')}` as Digest;
  expect(await at.parts.door.resume({ scope, by: 'p_ada', statementDigest })).toBe(true);
}

interface StripeTruth {
  readonly subscriptions: readonly { readonly id: string; readonly pause_collection: unknown }[];
}
async function truth() {
  const all = await at.control.truth(at.world);
  const { subscriptions } = all.stripe as unknown as StripeTruth;
  const updates = all.requests.filter(
    ({ method, path }) => method === 'POST' && path.startsWith('/v1/subscriptions/'),
  );
  return {
    id: subscriptions[0]?.id ?? '',
    pause: subscriptions[0]?.pause_collection,
    charges: all.charges.length,
    asked: updates.length,
    roles: [...new Set(updates.map(({ role }) => role))],
  };
}

const effectOf = (runId: RunId): EffectId =>
  `${at.instance}/${runId}/start-subscription/act` as EffectId;

const logged = async (): Promise<string[]> =>
  (
    await at.db
      .selectFrom('log')
      .select('kind')
      .where('kind', 'like', 'subscription%')
      .orderBy('idx')
      .execute()
  ).map(({ kind }) => kind);

test('a stop pauses subscriptions on request: nothing is charged under it, and lifted it collects again', async () => {
  await subscribed('paused');
  expect(await unasked()).toMatchObject({ confirmedAt: expect.any(String) as unknown });
  expect(await pausing()).toEqual(NOTHING);
  // The stop stands already; that it pauses is asked for later.
  const before = await stopped();
  expect(before?.confirmedAt).toBeUndefined();
  expect(before?.detail).toContain('0 of 1 subscription(s) paused');
  expect(await pausing()).toEqual(FIRST);
  const after = await payment();
  expect(after?.confirmedAt).toEqual(expect.any(String));
  expect(after?.detail).toContain('1 of 1 subscription(s) paused');
  expect(await truth()).toMatchObject({
    pause: { behavior: 'void' },
    asked: 1,
    roles: ['compensations'],
  });
  // Again and again it asks for nothing more.
  expect(await pausing()).toEqual(NOTHING);
  const { charges } = await truth();
  await at.wait(MONTH_MS);
  expect(await truth()).toMatchObject({ charges, asked: 1 });
  await lifted();
  expect(await pausing()).toEqual({ paused: 0, resumed: 1, left: 0 });
  expect(await truth()).toMatchObject({ pause: null, asked: 2, roles: ['compensations'] });
  await at.wait(MONTH_MS);
  expect((await truth()).charges).toBeGreaterThan(charges);
  expect(await logged()).toEqual([
    'subscriptions-to-pause',
    'subscription-pausing',
    'subscription-paused',
    'subscription-resuming',
    'subscription-running',
  ]);
});

const unasked = () => stopped('all', false);

test('an answer that is lost is read back, and what Stripe refuses stays UNCONFIRMED until it does not', async () => {
  await subscribed('lost');
  await at.control.faults(at.world, [
    { ...UPDATE, fault: 'refuse' },
    { ...UPDATE, fault: 'act-then-drop', nth: 2 },
  ]);
  await stopped();
  expect(await pausing()).toEqual(LEFT);
  expect((await payment())?.confirmedAt).toBeUndefined();
  expect(await pausing()).toEqual(LEFT);
  expect((await payment())?.confirmedAt).toBeUndefined();
  expect(await pausing()).toEqual(FIRST);
  expect((await payment())?.confirmedAt).toEqual(expect.any(String));
  expect(await truth()).toMatchObject({ pause: { behavior: 'void' }, asked: 2 });
});

test('what others had paused before is confirmed as it stands, and stays theirs when the stop is lifted', async () => {
  await subscribed('others');
  const { id } = await truth();
  await at.byHand('POST', `/v1/subscriptions/${id}`, { 'pause_collection[behavior]': 'void' });
  await stopped();
  expect(await pausing()).toEqual(FIRST);
  expect((await payment())?.confirmedAt).toEqual(expect.any(String));
  await lifted();
  expect(await pausing()).toEqual({ paused: 0, resumed: 1, left: 0 });
  expect(await truth()).toMatchObject({ pause: { behavior: 'void' }, asked: 1 });
  expect(await pausing()).toEqual(NOTHING);
});

test('it stays paused while any stop over it wants that, and a stop over others pauses nothing', async () => {
  const runId = await subscribed('two');
  await stopped('agent/another-agent');
  expect(await pausing()).toEqual(NOTHING);
  await stopped();
  await stopped(`run/${runId}`);
  expect(await pausing()).toEqual(FIRST);
  await lifted();
  expect(await pausing()).toEqual(NOTHING);
  await lifted(`run/${runId}`);
  expect(await pausing()).toEqual({ paused: 0, resumed: 1, left: 0 });
  expect(await countPauses(at.db)).toEqual({ paused: 0, moving: 0 });
});

test('reconcile finds nothing wrong in what a stop has paused, and says so once no stop explains it', async () => {
  await subscribed('reconciled');
  await stopped();
  await pausing();
  const changed = async (): Promise<string[]> => {
    await at.wait(11 * 60_000);
    const { found } = await reconcile(at.parts, inventory);
    return found.filter(({ kind }) => kind === 'subscription-changed').map(({ text }) => text);
  };
  expect(await changed()).toEqual([]);
  const { id } = await truth();
  await at.byHand('POST', `/v1/subscriptions/${id}`, { pause_collection: '' });
  expect(await changed()).toEqual([
    expect.stringContaining('a stop has paused it, and it collects'),
  ]);
  await at.byHand('POST', `/v1/subscriptions/${id}`, { 'pause_collection[behavior]': 'void' });
  await lifted();
  expect(await changed()).toEqual([expect.stringContaining('its collection is paused')]);
});

/** A sender of ours that has its leave to pause and has sent nothing yet, when the stop is lifted. */
async function overtaken(world: string) {
  const runId = await subscribed(world);
  const door = createPauseDoor(at.parts.db);
  const effectId = effectOf(runId);
  const times = { httpTimeoutMs: 3_000, settlingMs: 300 };
  await stopped();
  const leave = await door.begin({ effectId, asks: 'paused', ...times });
  expect(leave).toMatchObject({ verdict: 'granted', attempt: 1 });
  expect(await door.still(effectId, 1)).toBe(true);
  await lifted();
  return { door, effectId, times };
}

test('a sender that the lifting has overtaken may not send, and until it is out nothing is believed or begun', async () => {
  const { door, effectId, times } = await overtaken('overtaken');
  expect(await door.still(effectId, 1)).toBe(false);
  const [due] = await door.due();
  const read = { effectId, attempt: 1, state: 'running', lookedAt: due!.lookedAt } as const;
  expect(await door.settle(read)).toBe(false);
  expect(await door.begin({ effectId, asks: 'running', ...times })).toMatchObject({
    verdict: 'wait',
  });
  expect(await door.begin({ effectId, asks: 'paused', ...times })).toMatchObject({
    verdict: 'refused',
  });
  await at.wait(6_000);
  // It had gone out all the same: it is seen, and taken back.
  const { id } = await truth();
  await at.byHand('POST', `/v1/subscriptions/${id}`, { 'pause_collection[behavior]': 'void' });
  expect(await pausing()).toEqual({ paused: 0, resumed: 1, left: 0 });
  expect(await truth()).toMatchObject({ pause: null });
});

test('each of these is held by its guard', async () => {
  const { door, effectId, times } = await overtaken('guards');
  await without(at.db, ['pause-wire'], async () => {
    expect(await door.begin({ effectId, asks: 'running', ...times })).toMatchObject({ attempt: 2 });
  });
  await without(at.db, ['pause-cause'], async () => {
    await at.wait(6_000);
    expect(await door.begin({ effectId, asks: 'paused', ...times })).toMatchObject({ attempt: 3 });
  });
  const [due] = await door.due();
  const read = { effectId, attempt: 3, state: 'running', lookedAt: due!.lookedAt } as const;
  await without(at.db, ['pause-read'], async () => {
    expect(await door.settle(read)).toBe(true);
  });
  const { id } = await truth();
  await at.byHand('POST', `/v1/subscriptions/${id}`, { 'pause_collection[behavior]': 'void' });
  await stopped();
  await pausing();
  await lifted();
  expect(await door.begin({ effectId, asks: 'running', ...times })).toMatchObject({
    verdict: 'refused',
  });
  await without(at.db, ['pause-of-others'], async () => {
    expect(await door.begin({ effectId, asks: 'running', ...times })).toMatchObject({ attempt: 4 });
  });
});
