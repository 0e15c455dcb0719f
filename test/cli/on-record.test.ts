import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Context } from '../../cli/context.js';
import { listedOnRecord, onRecord } from '../../cli/on-record.js';
import { styleFor } from '../../cli/style.js';
import type { RunListing } from '../../client/client.js';
import { parseRunId } from '../../domain/ids.js';
import type { RunState } from '../../domain/plan.js';
import { admitted, openHouse, type House } from '../gateway/house.js';

let house: House;
let told: string[];
beforeAll(async () => {
  house = await openHouse();
  await admitted(house, 'launch');
});
afterAll(() => house.close());

function contextOf(database: Context['database']): Context {
  told = [];
  return {
    database,
    progressStyle: styleFor({ columns: 80, colour: false }),
    tell: (line: string) => {
      told.push(line);
    },
  } as unknown as Context;
}

const ended = (runId: string, phase: RunState['phase']): RunState => ({
  runId: parseRunId(runId),
  phase,
  why: 'says Temporal',
  steps: [],
  currency: 'USD',
  reservedMinor: 0,
  spentMinor: 0,
  residue: [],
});

test.each([
  ['launch', 'completed', 'the record says open'],
  ['launch', 'reversed', 'the record says open'],
  ['never-admitted', 'completed', 'nothing of such a run'],
] as const)('%s, forged as %s at Temporal, is shown as stuck: %s', async (runId, phase, words) => {
  const context = contextOf(() => Promise.resolve(house.db));
  const shown = await onRecord(context, ended(runId, phase));
  expect([shown.phase, shown.why]).toEqual(['stuck', expect.stringContaining(words)]);
  const listing = { runId: parseRunId(runId), phase } as RunListing;
  expect((await listedOnRecord(context, [listing]))[0]?.phase).toBe('stuck');
});

test('what goes on, and what was denied before it was admitted, is shown as it is', async () => {
  const context = contextOf(() => Promise.resolve(house.db));
  for (const state of [ended('launch', 'running'), ended('never-admitted', 'denied')])
    expect(await onRecord(context, state)).toBe(state);
  expect(told).toEqual([]);
});

test('without the database the answer is passed on, and said to be unchecked', async () => {
  const context = contextOf(() => Promise.reject(new Error('unreachable')));
  const state = ended('launch', 'completed');
  expect(await onRecord(context, state)).toBe(state);
  expect(told).toEqual([expect.stringMatching(/^Not checked against the record/)]);
});
