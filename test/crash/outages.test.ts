import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually } from '../../cli/demo/stage.js';
import { expectLive } from '../../cli/demo/verdict.js';
import type { RunHandle } from '../../client/run-handle.js';
import { databaseNow } from '../../store/clock.js';
import { approve, ended, openTestStage, PATIENCE_MS, type TestStage } from '../helpers/stage.js';
import { keysSentTwice, retriedBySdk } from '../helpers/truth.js';

let stage: TestStage;
beforeAll(async () => {
  stage = await openTestStage();
}, 400_000);
afterAll(() => stage.close(), 60_000);

const BACK_WITHIN_MS = 5_000;
type Part = 'postgres' | 'temporal' | 'worker-workflows' | 'worker-compensations';

/** Asks the application itself: an open port would prove nothing. */
function answers(part: Part, handle: RunHandle): Promise<unknown> {
  if (part === 'postgres') return databaseNow(stage.db);
  return part === 'temporal' ? handle.describe() : handle.state();
}

/** Kills a part with -9; answers after how many ms it answered again. */
async function kill(part: Part, handle: RunHandle): Promise<number> {
  const pid = stage.stack.pidOf(part);
  const began = performance.now();
  expect(stage.stack.kill(part, 'SIGKILL')).toBe(true);
  await eventually(`another ${part}`, () => {
    const now = stage.stack.pidOf(part);
    return Promise.resolve(now === undefined || now === pid ? undefined : true);
  });
  await eventually(
    `an answer of ${part}`,
    () =>
      answers(part, handle).then(
        () => true,
        () => undefined,
      ),
    PATIENCE_MS,
  );
  return performance.now() - began;
}

/** Waits until a step's effect is on record as succeeded; the next one may have begun. */
const done = (handle: RunHandle, step: string): Promise<unknown> =>
  eventually(
    `${step} of ${handle.runId}`,
    async () => {
      const row = await stage.effect(handle.runId, step).catch(() => undefined);
      return row?.state === 'succeeded' ? row : undefined;
    },
    PATIENCE_MS,
  );

test.each([
  { at: 'postgres', between: 'temporal', domain: 'amber-sluice.club' },
  { at: 'temporal', between: 'postgres', domain: 'narrow-weir.club' },
] as const)(
  '$at killed at both gates and $between between steps: the run is completed, with one of everything',
  async ({ at, between, domain }) => {
    const run = { runId: `loses-${at}`, domain };
    const handle = await stage.start(run);
    const took = { postgres: [] as number[], temporal: [] as number[] };
    const lose = async (part: 'postgres' | 'temporal') => {
      took[part].push(await kill(part, handle));
    };
    await stage.card(run.runId, 'plan');
    await lose(at);
    await approve(stage, handle, 'plan');
    await done(handle, 'create-customer');
    await lose(between);
    await done(handle, 'start-subscription');
    await lose(between);
    await approve(stage, handle, 'register-domain');
    await done(handle, 'register-domain');
    await lose(at);
    await done(handle, 'configure-dns');
    await lose(between);
    expect(await ended(handle)).toMatchObject({ phase: 'completed' });
    await expectLive(stage, run);
    const truth = await stage.truth();
    expect(keysSentTwice(truth)).toEqual([]);
    expect(retriedBySdk(truth)).toEqual([]);
    // A bound on the supervisor's waiting; the one slowest start on a busy machine says nothing about it.
    for (const part of ['postgres', 'temporal'] as const) {
      const [, ...others] = [...took[part]].sort((one, other) => other - one);
      expect(others.filter((ms) => ms > BACK_WITHIN_MS)).toEqual([]);
      expect(others).not.toEqual([]);
    }
  },
  900_000,
);

test('the workflow worker killed at the gates and the compensation worker while it takes back: ended as without it', async () => {
  const run = { runId: 'loses-workers', domain: 'gravel-heath.club' };
  const handle = await stage.start(run);
  await stage.card(run.runId, 'plan');
  await kill('worker-workflows', handle);
  await approve(stage, handle, 'plan');
  await done(handle, 'start-subscription');
  await stage.card(run.runId, 'register-domain');
  await stage.reject(run.runId, 'register-domain', 'not after all');
  await eventually(
    'the unwinding',
    async () => {
      const row = await stage.effect(run.runId, 'start-subscription');
      return row?.state === 'closing' || row?.state === 'closed' ? row : undefined;
    },
    PATIENCE_MS,
  );
  stage.stack.kill('worker-compensations', 'SIGKILL');
  expect((await ended(handle)).phase).toMatch(/^(rejected|reversed)$/);
  const truth = await stage.truth();
  const ours = (text: string | null | undefined) => text?.includes(`/${run.runId}/`) === true;
  expect(truth.living.filter(({ marker }) => ours(marker))).toEqual([]);
  const charges = truth.charges.filter(({ idempotencyKey }) => ours(idempotencyKey));
  expect(charges.map(({ amountMinor, refundedMinor }) => [amountMinor, refundedMinor])).toEqual([
    [1900, 1900],
  ]);
}, 900_000);
