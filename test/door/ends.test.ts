import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { closeGate } from '../../store/gate-rows.js';
import { insertFailure } from '../../store/run-rows.js';
import { FAILURES, type FailureCode } from '../../domain/errors.js';
import {
  askFor,
  openScratch,
  seedPlan,
  seedRun,
  type Scratch,
  type SeededRun,
  type SeededStep,
} from './seed.js';
import { without } from './without.js';

const STEPS: readonly SeededStep[] = [
  { step: 'create-customer', provider: 'stripe', costMinor: 100 },
];
const [{ step }] = STEPS as [SeededStep];
let scratch: Scratch;

beforeAll(async () => {
  scratch = await openScratch();
});
afterAll(async () => {
  await scratch.close();
});

const close = (run: SeededRun, outcome: 'never-happened' | 'mitigated') =>
  scratch.door.closeRow({
    runId: run.runId,
    step,
    outcome,
    refundedMinor: 0,
    residue: { minor: 0, text: '' },
  });

/** A run whose one step did something, or nothing, and whose door is closed because that step failed by this code. */
async function failedRun(of: { readonly did: boolean; readonly code: FailureCode }) {
  const run = await seedRun(scratch, STEPS, 'ends');
  const gateId = await seedPlan(scratch, run, 1);
  if (of.did) {
    const ask = askFor(scratch, run, step, { gateId });
    await scratch.door.authorize(ask);
    await scratch.door.settle({
      effectId: ask.effectId,
      attempt: 1,
      outcome: 'succeeded',
      object: 'cus_1',
      fields: {},
      capturedMinor: 100,
      evidence: {},
    });
  }
  await insertFailure(scratch.db, { runId: run.runId, step, code: of.code, message: 'it failed' });
  await scratch.door.closeDoor({ runId: run.runId, cause: { kind: 'failure', step } });
  await scratch.door.markClosing(run.runId, step);
  if (of.did)
    await scratch.door.authorizeUndo({ runId: run.runId, step, httpTimeoutMs: 1, sender: 'x' });
  await close(run, of.did ? 'mitigated' : 'never-happened');
  return run;
}

async function endOf({ runId }: SeededRun): Promise<string | null> {
  expect(await scratch.door.finish(runId, 'so they say')).toBe('finished');
  const row = await scratch.db
    .selectFrom('runs')
    .select('end_phase')
    .where('run_id', '=', runId)
    .executeTakeFirstOrThrow();
  return row.end_phase;
}

const codes = Object.keys(FAILURES) as FailureCode[];
const denials: FailureCode[] = ['POLICY_DENIED', 'POLICY_MISSING', 'BUDGET_EXCEEDED'];

test('a run that did nothing ends denied when a policy or a cap stopped it, else reversed', async () => {
  for (const code of codes)
    expect([code, await endOf(await failedRun({ did: false, code }))]).toEqual([
      code,
      denials.includes(code) ? 'denied' : 'reversed',
    ]);
});

test('a run that did anything is reversed, whoever says that it was denied', async () => {
  expect(await endOf(await failedRun({ did: true, code: 'POLICY_DENIED' }))).toBe('reversed');
  const run = await failedRun({ did: true, code: 'POLICY_DENIED' });
  await without(scratch.db, ['derived-end'], async () => {
    expect(await endOf(run)).toBe('denied');
  });
});

test.each(['rejected', 'expired'] as const)('a gate that was %s is the end', async (to) => {
  const run = await seedRun(scratch, STEPS, 'ends');
  const gateId = await seedPlan(scratch, run, 1, { granted: false });
  await scratch.db
    .transaction()
    .execute((tx) => closeGate(tx, { gateId, from: ['open'], to, reason: 'not now', by: 'p_ada' }));
  await scratch.door.closeDoor({ runId: run.runId, cause: { kind: to, gateId } });
  expect(await endOf(run)).toBe(to);
});

test('no other word than one of the five ends stands in the record', async () => {
  const { runId } = await seedRun(scratch, STEPS, 'ends');
  const forged = sql`update runs set end_phase = 'all is well' where run_id = ${runId}`;
  await expect(forged.execute(scratch.db)).rejects.toThrow('runs_end_phase');
});
