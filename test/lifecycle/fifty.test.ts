import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { foundOf } from '../../cli/demo/verdict.js';
import { builtInPolicy } from '../../domain/policy/built-in.js';
import { ended, openTestStage, ROOMY, type TestStage } from '../helpers/stage.js';

/** Fifty runs at once, each a workflow of its own, against an organisation's cap that has room for one. */
const RUNS = Array.from({ length: 50 }, (_, at) => ({
  runId: `fifty-${at}`,
  domain: `harbour-${at}-lantern.club`,
}));

let stage: TestStage;
beforeAll(async () => {
  stage = await openTestStage();
  await stage.policy({
    ...ROOMY,
    // A subscription and a name: 19.00 and 11.20.
    caps: { ...builtInPolicy().caps, organisation: '30.20 USD', agent: '9000.00 USD' },
    tiers: [{ step: '*', tier: 'autonomous' }],
    terms: [],
    bundleIrreversible: ['register-domain'],
  });
}, 400_000);
afterAll(() => stage.close(), 60_000);

test('fifty runs against a cap for one: one goes live, 49 end denied by its name, and nothing of theirs exists', async () => {
  const handles = await Promise.all(RUNS.map((run) => stage.start(run)));
  const states = await Promise.all(handles.map((handle) => ended(handle)));
  const live = states.filter(({ phase }) => phase === 'completed');
  expect(live).toHaveLength(1);
  const denied = states.filter(({ runId }) => runId !== live[0]?.runId);
  for (const state of denied) {
    expect(state).toMatchObject({ phase: 'denied', spentMinor: 0, residue: [] });
    expect(state.why).toContain('cap organisation: 3020 of 3020 USD are used');
    expect(state.denials).toMatchObject([{ rule: 'caps.organisation' }]);
  }
  const truth = await stage.truth();
  expect(truth.charges.map(({ amountMinor }) => amountMinor).sort()).toEqual([1120, 1900]);
  const theirs = RUNS.filter(({ runId }) => runId !== live[0]?.runId);
  for (const run of theirs)
    expect(foundOf(truth, run)).toMatchObject({
      customers: 0,
      subscriptions: 0,
      registered: false,
      workers: 0,
      customDomains: 0,
      records: 0,
    });
}, 600_000);
