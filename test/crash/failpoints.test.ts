import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { expectLive } from '../../cli/demo/verdict.js';
import { EFFECT_STEPS } from '../../domain/steps.js';
import { approve, ended, openTestStage, type TestStage } from '../helpers/stage.js';
import { keysSentTwice, retriedBySdk } from '../helpers/truth.js';

/** Every place of the door at which the action worker may die; what claims again needs a death before it. */
const BEFORE = {
  'before-authorize': undefined,
  'after-authorize': undefined,
  'before-send': undefined,
  'after-send': undefined,
  'before-settle': undefined,
  'after-settle': undefined,
  'before-claim': 'after-authorize',
  'after-claim': 'before-send',
} as const;
type Point = keyof typeof BEFORE;
const POINTS = Object.keys(BEFORE) as Point[];
const CELLS = POINTS.flatMap((point) => EFFECT_STEPS.map((step) => `${point}@${step}`));
/** A death in one run may take another run past its own place: what is missing then has its turn again. */
const ROUNDS_MAX = 5;

let stage: TestStage;
beforeAll(async () => {
  // Three workers share the queue, so that a death in one run is not a death in all.
  stage = await openTestStage({ actionWorkers: 3 });
}, 400_000);
afterAll(() => stage.close(), 60_000);

const file = (name: string): string => path.join(stage.stack.dataDir, name);

/** The places at which a worker has died, `<point>@<step>`. */
function died(): ReadonlySet<string> {
  const fired = file('failpoints.fired');
  const lines = existsSync(fired) ? readFileSync(fired, 'utf8').trim().split('\n') : [];
  return new Set(lines.map((line) => line.split('@').slice(0, 2).join('@')));
}

interface Dying {
  readonly runId: string;
  readonly domain: string;
  /** `<point>@<step>` */
  readonly places: readonly string[];
}

/** One run for each point that still lacks a death; the points that claims need die in the claiming run. */
function runsFor(missing: readonly string[], round: number): readonly Dying[] {
  const needed = (point: Point): readonly string[] =>
    missing.filter((cell) => cell.startsWith(`${point}@`));
  const covered = new Set(
    POINTS.flatMap((point) => {
      const first = BEFORE[point];
      return first === undefined
        ? []
        : needed(point).map((cell) => cell.replace(`${point}@`, `${first}@`));
    }),
  );
  return POINTS.map((point, index) => {
    const first = BEFORE[point];
    const own = needed(point).filter((cell) => !covered.has(cell));
    const before =
      first === undefined ? [] : own.map((cell) => cell.replace(`${point}@`, `${first}@`));
    return {
      runId: `dies-${point}-${round}`,
      domain: `quiet-harbour-${round}-${index + 1}.club`,
      places: [...before, ...own],
    };
  }).filter(({ places }) => places.length > 0);
}

async function completedInSpite(run: Dying): Promise<void> {
  const handle = await stage.start(run);
  await approve(stage, handle, 'plan');
  await approve(stage, handle, 'register-domain');
  const { phase, why } = await ended(handle);
  expect({ runId: run.runId, phase, why }).toEqual({ runId: run.runId, phase: 'completed', why });
}

test('killed at every place of the door in every step, each run is completed, and there is one of everything', async () => {
  const played: Dying[] = [];
  for (let round = 1; round <= ROUNDS_MAX; round += 1) {
    const fired = died();
    const runs = runsFor(
      CELLS.filter((cell) => !fired.has(cell)),
      round,
    );
    const armed = runs.flatMap(({ runId, places }) => places.map((place) => `${place}@${runId}`));
    writeFileSync(file('failpoints'), `${armed.join('\n')}\n`);
    await Promise.all(runs.map(completedInSpite));
    played.push(...runs);
  }
  expect([...died()].sort()).toEqual([...CELLS].sort());
  for (const run of played) await expectLive(stage, run);
  const truth = await stage.truth();
  expect(keysSentTwice(truth)).toEqual([]);
  expect(retriedBySdk(truth)).toEqual([]);
  expect(truth.unknownRoutes).toEqual([]);
}, 1_200_000);
