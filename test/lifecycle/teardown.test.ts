import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually, WORLD } from '../../cli/demo/stage.js';
import { foundOf } from '../../cli/demo/verdict.js';
import { TEARDOWN_STEPS } from '../../domain/build-teardown.js';
import { ROOT } from '../helpers/build.js';
import { ended, PATIENCE_MS } from '../helpers/stage.js';
import { openGround, outcomes, shown, type Asked, type Ground } from './ground.js';

/** Two products that are live, each of a customer of its own, and what it takes to end them. */
let ground: Ground;
beforeAll(async () => {
  ground = await openGround();
  await Promise.all([SHOP, LAMP].map(live));
}, 400_000);
afterAll(() => ground.close(), 60_000);

const askedFor = (runId: string, domain: string): Asked => ({
  runId,
  domain,
  page: `site of ${runId}`,
  principal: `owner@${domain.replace('.club', '.example')}`,
  txt: ['a=1'],
});
const SHOP = askedFor('shop', 'patient-harbour.club');
const LAMP = askedFor('lamp', 'tidal-lamp.club');

async function live(of: Asked): Promise<void> {
  const handle = await ground.provision(of);
  await ground.approve(handle, 'plan');
  await ground.approve(handle, 'register-domain');
  expect((await ended(handle)).phase).toBe('completed');
}

/** Starts the teardown at the command line; ada reads its card, types the name and signs. */
async function takenDown({ runId }: Asked) {
  const gone = `${runId}-gone`;
  const started = await ground.cli(['teardown', runId, '--run-id', gone]);
  expect([started.exitCode, started.out]).toEqual([
    0,
    expect.stringContaining(`it takes down what ${runId} made`),
  ]);
  const handle = ground.stage.client.run(gone);
  return { handle, approval: await ground.approve(handle, 'plan') };
}

const truth = () => ground.stage.truth();
/** Only the name stays, and nothing of it is charged again. */
const ONLY_THE_NAME = {
  customers: 0,
  subscriptions: 0,
  registered: true,
  renewsByItself: false,
  workers: 0,
  customDomains: 0,
  records: 0,
};
const TAKEN_DOWN = Object.fromEntries(TEARDOWN_STEPS.map((step) => [step, 'succeeded']));
const paid = async (of: Asked) =>
  foundOf(await truth(), of).charges.map(({ amountMinor, refundedMinor }) => [
    amountMinor,
    refundedMinor,
  ]);

/** What is set aside or renews, for any run. */
async function held(): Promise<{ reserved: number; renews: readonly string[] }> {
  const { out } = await ground.cli(['ledger', '--json']);
  const { balances, renewals } = JSON.parse(out) as {
    balances: readonly { reservedMinor: number }[];
    renewals: readonly { runId: string }[];
  };
  return {
    reserved: balances.reduce((sum, { reservedMinor }) => sum + reservedMinor, 0),
    renews: renewals.map(({ runId }) => runId).sort(),
  };
}

test('a live product is taken down through the command line: one card, a typed name, and only the domain stays', async () => {
  expect(await ground.page(SHOP.domain)).toBe('200 site of shop');
  expect(await held()).toEqual({ reserved: 0, renews: ['lamp', 'shop'] });
  const { approval, handle } = await takenDown(SHOP);
  expect(approval.seen).toContain('Tear down shop (patient-harbour.club): 6 actions');
  expect(approval.seen.replace(/\s+/g, ' ')).toContain('is gone for good');
  const state = await ended(handle);
  expect(state).toMatchObject({ phase: 'completed', spentMinor: 0, tearsDown: 'shop' });
  expect(outcomes(state)).toEqual(TAKEN_DOWN);
  expect(state.residue.map(({ step, text }) => [step, text])).toEqual([
    ['register-domain', expect.stringContaining('stays registered')],
    ['start-subscription', expect.stringContaining('not given back')],
  ]);
  // The world says the same, and the neighbour is as it was.
  const world = await truth();
  expect(foundOf(world, SHOP)).toMatchObject(ONLY_THE_NAME);
  expect(foundOf(world, LAMP)).toMatchObject({ customers: 1, subscriptions: 1, workers: 1 });
  expect(await paid(SHOP)).toEqual([[1900, 0]]);
  expect(world.cloudflare['tokens']).toEqual([]);
  expect(world.unknownRoutes).toEqual([]);
  expect(await ground.page(SHOP.domain)).not.toContain('site of shop');
  expect(await held()).toEqual({ reserved: 0, renews: ['lamp'] });
}, 300_000);

test('who asks again is told that it is done, and by which run', async () => {
  const again = await ground.cli(['teardown', 'shop']);
  expect([again.exitCode, again.err]).toEqual([
    2,
    expect.stringContaining('shop was torn down by shop-gone'),
  ]);
  const itself = await ground.cli(['teardown', 'shop-gone']);
  expect([itself.exitCode, itself.err]).toEqual([
    2,
    expect.stringContaining('shop-gone is a teardown itself'),
  ]);
  const nobody = await ground.cli(['teardown', 'nothing-here']);
  expect([nobody.exitCode, nobody.err]).toEqual([
    2,
    expect.stringContaining('no run nothing-here is on record'),
  ]);
  expect(shown(await ground.cli(['show', 'shop']))).toContain('torn down by shop-gone');
  const show = shown(await ground.cli(['show', 'shop-gone']));
  expect(show).toContain('takes down what shop made');
  expect(show).toContain('left by register-domain');
}, 60_000);

test('a teardown whose worker is killed in the midst of a request ends all the same, and does nothing twice', async () => {
  const ENDS = { provider: 'stripe', method: 'DELETE', path: '/v1/subscriptions/*' } as const;
  await ground.stage.sandbox.faults(WORLD, [{ ...ENDS, fault: 'hang', act: true }]);
  const { handle } = await takenDown(LAMP);
  await eventually(
    'the subscription ends, and nobody is told',
    async () => (foundOf(await truth(), LAMP).subscriptions === 0 ? true : undefined),
    PATIENCE_MS,
  );
  expect(ground.stage.stack.kill('worker-actions', 'SIGKILL')).toBe(true);
  const state = await ended(handle);
  expect(state.phase).toBe('completed');
  expect(outcomes(state)).toEqual(TAKEN_DOWN);
  const world = await truth();
  expect(foundOf(world, LAMP)).toMatchObject(ONLY_THE_NAME);
  const ends = world.requests.filter(
    ({ method, path }) => method === 'DELETE' && path.startsWith('/v1/subscriptions/'),
  );
  expect(ends).toHaveLength(2);
  expect(await paid(LAMP)).toEqual([[1900, 0]]);
  expect(world.cloudflare['tokens']).toEqual([]);
  expect(await held()).toEqual({ reserved: 0, renews: [] });
  const reconcile = [path.join(ROOT, 'dist/cli/main.js'), 'reconcile', '--json', '--data'];
  const { dataDir } = ground.stage.context.config;
  const differs = await promisify(execFile)(process.execPath, [...reconcile, dataDir]);
  expect(JSON.parse(differs.stdout)).toMatchObject({ found: [], unread: [] });
  expect(await ground.sweepHere()).toEqual([]);
}, 300_000);
