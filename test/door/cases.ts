import { expect } from '@jest/globals';
import { sql } from 'kysely';
import type { GateId } from '../../domain/ids.js';
import type { AuthorizeAsk, DoorAnswer } from '../../gateway/door-contract.js';
import { askFor, seedPlan, seedRun, type Scratch, type SeededRun } from './seed.js';

export const STEPS = [
  { step: 'create-customer', provider: 'stripe', costMinor: 100 },
  { step: 'register-domain', provider: 'cloudflare', costMinor: 200 },
] as const;

/** A run with a plan and a gate over its first step, and how that step asks. */
export interface Case {
  readonly run: SeededRun;
  readonly gateId: GateId;
  readonly ask: AuthorizeAsk;
}

export const reason = (answer: DoorAnswer): string =>
  answer.verdict === 'refused' ? answer.reason : answer.verdict;

export const closing = ({ run }: Case) => ({
  runId: run.runId,
  step: 'create-customer' as const,
  refundedMinor: 0,
  residue: { minor: 0, text: '' },
});

/** What tests of the door do to a run, on the scratch database that is open by then. */
export function casesOf(scratch: () => Scratch) {
  const newCase = async (of: { readonly granted?: boolean } = {}): Promise<Case> => {
    const run = await seedRun(scratch(), STEPS, 'door');
    const gateId = await seedPlan(scratch(), run, 1, of);
    return { run, gateId, ask: askFor(scratch(), run, 'create-customer', { gateId }) };
  };
  const authorize = async (ask: AuthorizeAsk): Promise<string> =>
    reason(await scratch().door.authorize(ask));
  const succeed = (ask: AuthorizeAsk, capturedMinor: number, object = 'cus_1') =>
    scratch().door.settle({
      effectId: ask.effectId,
      attempt: 1,
      outcome: 'succeeded',
      object,
      fields: { id: object },
      capturedMinor,
      evidence: { status: 200 },
    });
  const closeDoor = async ({ run }: Case): Promise<void> => {
    const { db, door } = scratch();
    await sql`insert into temporal_ends values (${run.runId}, 'TERMINATED', countersign_now())
      on conflict do nothing`.execute(db);
    const cause = { kind: 'temporal', status: 'TERMINATED' } as const;
    await door.closeDoor({ runId: run.runId, cause });
  };
  const policyNow = async (): Promise<number> => {
    const { rows } = await sql<{ version: number }>`
      select max(version) as version from policies`.execute(scratch().db);
    return rows[0]?.version ?? 0;
  };
  /** A step that was paid for, of a run that is being unwound, with its reversal sent. */
  const paidAndUndone = async (minor: number): Promise<Case> => {
    const of = await newCase();
    const ask = { ...of.ask, policyVersion: await policyNow() };
    expect(await authorize(ask)).toBe('granted');
    await succeed(ask, minor);
    await closeDoor(of);
    const { door } = scratch();
    await door.markClosing(of.run.runId, 'create-customer');
    const undo = await door.authorizeUndo({
      runId: of.run.runId,
      step: 'create-customer',
      httpTimeoutMs: 1_000,
      sender: 'undoer',
    });
    expect(undo.verdict).toBe('granted');
    return of;
  };
  const balanceOf = async (of: Case) =>
    scratch()
      .db.selectFrom('balances')
      .select(['reserved_minor', 'captured_minor'])
      .where('scope', '=', `run:${of.run.runId}`)
      .orderBy('month')
      .execute();
  return { authorize, balanceOf, closeDoor, newCase, paidAndUndone, policyNow, succeed };
}
