import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { Digest } from '../../domain/ids.js';
import type { LayerName } from '../../gateway/door-contract.js';
import { claimOf, openHouse, type House } from '../gateway/house.js';
import { freshDatabase, letIn } from '../helpers/database.js';
import { callCli, type Outcome } from './run-in-process.js';

/** What `stop` itself says of its layers, and by which exit code, with each of them left out in turn. */
const LAYERS: readonly LayerName[] = ['gateway', 'runtime', 'identity', 'payment'];

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

let lifts = 0;
afterEach(async () => {
  lifts += 1;
  const statementDigest = `sha256:${String(lifts).padStart(64, '0')}` as Digest;
  await house.parts.door.resume({ scope: 'all', by: 'p_ada', statementDigest });
});

const stopAll = (off: string, flags: readonly string[] = [], url = house.url): Promise<Outcome> =>
  callCli(['stop', '--all', '--reason', 'card stolen', ...flags], {
    variables: { COUNTERSIGN_DATABASE_URL: url, COUNTERSIGN_TEST_DISABLE_LAYER: off },
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
    await house.db.updateTable('runs').set({ door: 'closed' }).execute();
  },
);

test('a production instance takes no notice of the switch', async () => {
  const fresh = await freshDatabase();
  try {
    await letIn(fresh, 'production');
    const stopped = await stopAll(LAYERS.join(), ['--json'], fresh.url);
    expect({ exitCode: stopped.exitCode, confirmed: confirmed(stopped) }).toEqual({
      exitCode: 0,
      confirmed: LAYERS,
    });
  } finally {
    await fresh.drop();
  }
});
