import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually, WORLD } from '../../cli/demo/stage.js';
import { foundOf } from '../../cli/demo/verdict.js';
import type { RunHandle } from '../../client/run-handle.js';
import type { FaultRuleInput } from '../../sandbox/control-client.js';
import { ended, PATIENCE_MS, reached } from '../helpers/stage.js';
import { openGround, type Asked, type Ground } from './ground.js';

/** One stop over runs in every state that there is, each brought about for real, on the whole stack. */
let ground: Ground;
beforeAll(async () => {
  ground = await openGround();
}, 400_000);
afterAll(() => ground.close(), 60_000);

const FOREVER = 100_000;
const faults = (...rules: FaultRuleInput[]) => ground.stage.sandbox.faults(WORLD, rules);
const stripe = (
  method: 'POST' | 'DELETE',
  path: string,
  fault: FaultRuleInput['fault'],
  more: Partial<FaultRuleInput> = {},
): FaultRuleInput => ({ provider: 'stripe', method, path, fault, times: FOREVER, ...more });

const askedFor = (runId: string): Asked => ({
  runId,
  domain: `${runId}-lantern.club`,
  page: `site of ${runId}`,
  principal: `${runId}@example.com`,
});

const requests = async () => (await ground.stage.truth()).requests;
const asked = (method: string, path: string) =>
  eventually(
    `${method} ${path}`,
    async () =>
      (await requests()).find((one) => one.method === method && one.path.startsWith(path)),
    PATIENCE_MS,
  );

const atGate = (handle: RunHandle, gate: string) =>
  reached(
    handle,
    ({ openGate, phase }) => phase === 'awaiting-approval' && openGate?.gate === gate,
  );

async function waiting(runId: string): Promise<RunHandle> {
  const handle = await ground.provision(askedFor(runId));
  await atGate(handle, 'plan');
  return handle;
}

async function paid(runId: string): Promise<RunHandle> {
  const handle = await ground.provision(askedFor(runId));
  await ground.approve(handle, 'plan');
  await atGate(handle, 'register-domain');
  return handle;
}

const reject = (runId: string) =>
  ground.signed('ada', ['reject', runId, '--gate', 'register-domain', '--reason', 'not this one']);

/** Its refund was refused for good, and a person is waited for. */
async function stuck(runId: string): Promise<RunHandle> {
  const handle = await paid(runId);
  await faults(stripe('POST', '/v1/refunds', 'refuse'));
  await reject(runId);
  await reached(handle, ({ phase }) => phase === 'stuck');
  await faults();
  return handle;
}

/** It is being taken back, and Stripe is too busy to cancel its subscription. */
async function unwinding(runId: string): Promise<RunHandle> {
  const handle = await paid(runId);
  await faults(stripe('DELETE', '/v1/subscriptions/*', '429'));
  await reject(runId);
  await asked('DELETE', '/v1/subscriptions/');
  return handle;
}

/** Stripe is too busy for its subscription, and it waits between two tries. */
async function backingOff(runId: string): Promise<RunHandle> {
  await faults(stripe('POST', '/v1/subscriptions', '429'));
  const before = (await requests()).length;
  const handle = await ground.provision(askedFor(runId));
  await ground.approve(handle, 'plan');
  await eventually(
    'a try that Stripe was too busy for',
    async () =>
      (await requests())
        .slice(before)
        .find(({ method, path }) => method === 'POST' && path === '/v1/subscriptions'),
    PATIENCE_MS,
  );
  return handle;
}

/** Its request is on the wire. */
async function running(runId: string): Promise<RunHandle> {
  await faults(stripe('POST', '/v1/customers', 'slow', { ms: 2_500, times: 1 }));
  const handle = await ground.provision(askedFor(runId));
  await ground.approve(handle, 'plan');
  await eventually(
    'its request on the wire',
    async () =>
      ground.stage.db
        .selectFrom('effects')
        .select('effect_id')
        .where('run_id', '=', runId)
        .where('step', '=', 'create-customer')
        .where('state', '=', 'claimed')
        .executeTakeFirst(),
    PATIENCE_MS,
  );
  return handle;
}

/** What was let through for a run after an entry of the log. */
const letThrough = async (runId: string, after: number): Promise<string[]> =>
  (
    await ground.stage.db
      .selectFrom('log')
      .select('kind')
      .where('run_id', '=', runId)
      .where('idx', '>', after)
      .where('kind', 'in', ['authorized', 'claimed'])
      .execute()
  ).map(({ kind }) => kind);

const stoppedAt = async (): Promise<number> =>
  (
    await ground.stage.db
      .selectFrom('log')
      .select(({ fn }) => fn.max('idx').as('idx'))
      .where('kind', '=', 'stopped')
      .executeTakeFirstOrThrow()
  ).idx;

const LAYERS = ['gateway', 'runtime', 'identity', 'payment'];
function expectConfirmed({ exitCode, out }: { readonly exitCode: number; readonly out: string }) {
  const said = LAYERS.filter((layer) => new RegExp(`${layer} +confirmed `).test(out));
  expect([said, exitCode, out.includes('UNCONFIRMED')]).toEqual([LAYERS, 0, false]);
}

const resume = (...scope: string[]) =>
  ground.signed('ada', ['resume', ...scope, '--reason', 'looked at it']);

test('one stop ends waiting, paid, backing-off and running runs; what is taken back goes on, what is stuck stays', async () => {
  const held = await stuck('state-stuck');
  const back = await unwinding('state-back');
  const others = [
    await waiting('state-waiting'),
    await paid('state-paid'),
    await backingOff('state-busy'),
    await running('state-running'),
  ];
  expectConfirmed(await ground.cli(['stop', '--all', '--reason', 'card stolen']));
  const at = await stoppedAt();
  await faults();
  for (const handle of others) expect((await ended(handle)).phase).toBe('reversed');
  expect((await ended(back)).phase).toBe('reversed');
  expect((await held.state()).phase).toBe('stuck');
  // The way on of a stuck run needs no lifting: it goes back.
  const retry = await ground.signed('ada', [
    ...['resolve', 'state-stuck', '--step', 'start-subscription', '--retry'],
    ...['--reason', 'the bank is there again'],
  ]);
  expect([retry.exitCode, retry.err]).toEqual([0, '']);
  expect((await ended(held)).phase).toBe('reversed');
  const truth = await ground.stage.truth();
  for (const { runId } of [held, back, ...others]) {
    expect([runId, await letThrough(runId, at)]).toEqual([runId, []]);
    const found = foundOf(truth, askedFor(runId));
    expect(found).toMatchObject({ customers: 0, subscriptions: 0, registered: false });
    for (const charge of found.charges) expect(charge.refundedMinor).toBe(charge.amountMinor);
  }
  expect((await resume('--all')).exitCode).toBe(0);
}, 600_000);

test('a stop that holds keeps each of them as it is, and lifted they go on; what is taken back does not wait', async () => {
  const back = await unwinding('hold-back');
  const still = [
    await waiting('hold-waiting'),
    await paid('hold-paid'),
    await backingOff('hold-busy'),
    await running('hold-running'),
  ];
  expectConfirmed(await ground.cli(['stop', '--all', '--hold', '--reason', 'let me look']));
  const at = await stoppedAt();
  await faults();
  expect((await ended(back)).phase).toBe('reversed');
  for (const handle of still) expect((await handle.state()).phase).toBe('held');
  for (const { runId } of still) expect([runId, await letThrough(runId, at)]).toEqual([runId, []]);
  expect((await resume('--all')).exitCode).toBe(0);
  await atGate(still[0]!, 'plan');
  for (const handle of still.slice(1)) await atGate(handle, 'register-domain');
  const truth = await ground.stage.truth();
  for (const { runId } of still.slice(1))
    expect(foundOf(truth, askedFor(runId))).toMatchObject({ customers: 1, subscriptions: 1 });
}, 600_000);
