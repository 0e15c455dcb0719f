import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { effectIdOf } from '../../domain/ids.js';
import type { LayerName } from '../../gateway/door-contract.js';
import { createPauseDoor } from '../../gateway/pause-door.js';
import { standingStop } from '../../store/stop-scope.js';
import { liftedBySignature } from '../gateway/ceremony.js';
import {
  admitted,
  approved,
  claimOf,
  openHouse,
  performedUpTo,
  type House,
} from '../gateway/house.js';
import { freshDatabase, letIn } from '../helpers/database.js';
import { callCli, type Outcome } from './run-in-process.js';

/** What `stop` itself says of its layers, and by which exit code, with each of them left out in turn. */
const LAYERS: readonly LayerName[] = ['gateway', 'runtime', 'identity', 'payment'];

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

afterEach(async () => {
  if ((await standingStop(house.db, 'all')) !== undefined) await liftedBySignature(house);
});

const stopAll = (
  off: string,
  flags: readonly string[] = [],
  { url = house.url, interrupted }: { url?: string; interrupted?: AbortSignal } = {},
): Promise<Outcome> =>
  callCli(['stop', '--all', '--reason', 'card stolen', ...flags], {
    variables: { COUNTERSIGN_DATABASE_URL: url, COUNTERSIGN_TEST_DISABLE_LAYER: off },
    ...(interrupted && { interrupted }),
  });

/** The layers that were said to be confirmed. */
const confirmed = ({ out }: Outcome): LayerName[] =>
  (JSON.parse(out) as { layers: { layer: LayerName; confirmedAt: string | null }[] }).layers
    .filter(({ confirmedAt }) => confirmedAt !== null)
    .map(({ layer }) => layer);

/** Says why nothing new can begin; `undefined` where it can. */
const refusedToBegin = (runId: string): Promise<string | undefined> =>
  house.gateway.admit(claimOf(house, runId)).then(
    () => undefined,
    (error: unknown) => String(error),
  );

test('a stop whose layers all hold says so, and exits 0', async () => {
  const stopped = await stopAll('', ['--json']);
  expect({ exitCode: stopped.exitCode, confirmed: confirmed(stopped) }).toEqual({
    exitCode: 0,
    confirmed: LAYERS,
  });
});

test.each(LAYERS)(
  'with the layer %s left out the stop says UNCONFIRMED and exits 1, and the others are confirmed',
  async (off) => {
    const others = LAYERS.filter((layer) => layer !== off);
    const stopped = await stopAll(off, ['--json']);
    expect({ exitCode: stopped.exitCode, confirmed: confirmed(stopped) }).toEqual({
      exitCode: 1,
      confirmed: others,
    });
    const again = await stopAll(off);
    expect(again.exitCode).toBe(1);
    const said = again.out.split('\n').filter((line) => line.includes('UNCONFIRMED'));
    expect(said).toHaveLength(1);
    expect(said[0]).toContain(off);
    const begun = await refusedToBegin(`stopped-without-${off}`);
    if (off === 'identity') expect(begun).toBeUndefined();
    else expect(begun).toMatch(/suspended/);
    // What was let in is no run that the next stop would have to tell.
    await house.db.updateTable('runs').set({ door: 'closed', end_phase: 'denied' }).execute();
  },
);

test('a subscription that nobody has paused leaves the payment layer UNCONFIRMED, and one that was seen paused confirms it', async () => {
  const runId = await admitted(house, 'stopped-subscribed');
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, 'start-subscription');
  await house.db
    .updateTable('runs')
    .set({ door: 'completed' })
    .where('run_id', '=', runId)
    .execute();
  // Without the flag it is left as it is.
  expect((await stopAll('')).out).not.toContain('subscription(s)');
  // Whoever does not wait for it is told how it stands.
  const interrupted = AbortSignal.abort();
  const asked = await stopAll('', ['--pause-subscriptions', '--json'], { interrupted });
  expect({ exitCode: asked.exitCode, confirmed: confirmed(asked) }).toEqual({
    exitCode: 1,
    confirmed: ['gateway', 'runtime', 'identity'],
  });
  const said = await stopAll('', ['--pause-subscriptions'], { interrupted });
  expect(said.out).toMatch(/payment +UNCONFIRMED: [^]*0\s+of\s+1\s+subscription\(s\)\s+paused/);
  const effectId = effectIdOf({
    instance: house.instance,
    runId,
    step: 'start-subscription',
    kind: 'act',
  });
  const door = createPauseDoor(house.db);
  const times = { httpTimeoutMs: 1_000, settlingMs: 1_000 };
  expect(await door.begin({ effectId, asks: 'paused', ...times })).toMatchObject({ attempt: 1 });
  // Asked for is not paused.
  const sent = await stopAll('', ['--pause-subscriptions', '--json'], { interrupted });
  expect(confirmed(sent)).not.toContain('payment');
  expect(await door.settle({ effectId, attempt: 1, state: 'paused' })).toBe(true);
  const seen = await stopAll('', ['--pause-subscriptions']);
  expect(seen.exitCode).toBe(0);
  expect(seen.out).toMatch(/payment +confirmed [^]*1\s+of\s+1\s+subscription\(s\)\s+paused/);
});

test('a production instance takes no notice of the switch', async () => {
  const fresh = await freshDatabase();
  try {
    await letIn(fresh, 'production');
    const stopped = await stopAll(LAYERS.join(), ['--json'], { url: fresh.url });
    expect({ exitCode: stopped.exitCode, confirmed: confirmed(stopped) }).toEqual({
      exitCode: 0,
      confirmed: LAYERS,
    });
  } finally {
    await fresh.drop();
  }
});
