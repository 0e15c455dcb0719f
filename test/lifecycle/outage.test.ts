import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually, WORLD } from '../../cli/demo/stage.js';
import { foundOf } from '../../cli/demo/verdict.js';
import { openBreakers } from '../../store/calls.js';
import { ended, openTestStage, PATIENCE_MS, ROOMY, type TestStage } from '../helpers/stage.js';

/** Ten runs at once on the whole stack, and Stripe does not answer for a while. */
const RUNS = Array.from({ length: 10 }, (_, at) => ({
  runId: `outage-${at}`,
  domain: `harbour-${at}-outage.club`,
}));
const LARGE = '9000.00 USD';

let stage: TestStage;
beforeAll(async () => {
  stage = await openTestStage();
  await stage.policy({
    ...ROOMY,
    caps: {
      organisation: LARGE,
      principal: LARGE,
      agent: LARGE,
      provider: LARGE,
      principalProvider: LARGE,
      run: LARGE,
    },
    tiers: [{ step: '*', tier: 'autonomous' }],
    terms: [],
    bundleIrreversible: ['register-domain'],
  });
}, 400_000);
afterAll(() => stage.close(), 60_000);

const atStripe = async (): Promise<number> =>
  (await stage.truth()).requests.filter(({ provider }) => provider === 'stripe').length;

const rows = (step: string) =>
  stage.db
    .selectFrom('effects')
    .select(['run_id', 'state'])
    .where('step', '=', step)
    .where('kind', '=', 'act')
    .execute();

const doors = async (): Promise<string[]> =>
  (await stage.db.selectFrom('runs').select('door').execute()).map(({ door }) => door);

test('through an outage ten runs wait, none takes anything back, and after it all ten go live', async () => {
  const handles = await Promise.all(RUNS.map((run) => stage.start(run)));
  await eventually(
    'the first customers',
    async () => ((await rows('create-customer')).length >= 3 ? true : undefined),
    PATIENCE_MS,
  );
  // Every connection is taken, and nothing is ever said.
  await stage.sandbox.faults(WORLD, [
    { provider: 'stripe', method: '*', path: '/**', fault: 'hang', times: 100_000 },
  ]);
  await eventually(
    'the breaker',
    async () => (await openBreakers(stage.db)).find(({ provider }) => provider === 'stripe'),
    PATIENCE_MS,
  );
  const opened = await atStripe();
  // It is tried again, and again in vain.
  await eventually(
    'two trials',
    async () => (await openBreakers(stage.db)).find(({ trips }) => trips >= 2),
    PATIENCE_MS,
  );
  // One call of all processes at each trial; beside it only what had been taken before.
  expect((await atStripe()) - opened).toBeLessThan(30);
  expect(new Set(await doors())).toEqual(new Set(['open']));
  await stage.sandbox.faults(WORLD, []);
  const states = await Promise.all(handles.map((handle) => ended(handle)));
  expect(states.map(({ phase }) => phase)).toEqual(RUNS.map(() => 'completed'));
  const truth = await stage.truth();
  const kinds = truth.charges.map(({ amountMinor, refundedMinor }) => [amountMinor, refundedMinor]);
  expect(kinds.filter(([amount]) => amount === 1900)).toEqual(RUNS.map(() => [1900, 0]));
  for (const run of RUNS)
    expect(foundOf(truth, run)).toMatchObject({ subscriptions: 1, registered: true });
  const told = await stage.db.selectFrom('notices').select('kind').execute();
  expect(told.map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(['breaker-open', 'breaker-closed']),
  );
  expect(await openBreakers(stage.db)).toEqual([]);
}, 600_000);
