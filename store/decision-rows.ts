import { sql } from 'kysely';
import type { Executor } from './connect.js';
import type { Row } from './schema.js';

/** The decision of these very bytes, if it was accepted before. */
export async function readDecisionRow(
  db: Executor,
  sha256: string,
): Promise<Row<'decisions'> | undefined> {
  return db.selectFrom('decisions').selectAll().where('digest', '=', sha256).executeTakeFirst();
}

/** Accepted decisions of a gate, in the order in which they were recorded. */
export async function decisionsOf(db: Executor, gateId: string): Promise<Row<'decisions'>[]> {
  return db
    .selectFrom('decisions')
    .selectAll()
    .where('gate_id', '=', gateId)
    .where('accepted', '=', true)
    .orderBy('recorded_at')
    .execute();
}

/** Writes an accepted decision: the whole message as received, in canonical form. */
export async function insertDecision(
  tx: Executor,
  decision: {
    readonly sha256: string;
    readonly gateId: string;
    readonly runId: string;
    readonly person: string;
    readonly keyId: string;
    readonly decision: 'approve' | 'reject';
    readonly message: string;
    readonly signature: string;
    readonly reason: string | undefined;
    readonly road: Row<'decisions'>['road'];
  },
): Promise<void> {
  await tx
    .insertInto('decisions')
    .values({
      digest: decision.sha256,
      gate_id: decision.gateId,
      run_id: decision.runId,
      person_id: decision.person,
      key_id: decision.keyId,
      decision: decision.decision,
      statement: decision.message,
      signature: decision.signature,
      accepted: true,
      reason: decision.reason ?? null,
      road: decision.road,
      recorded_at: sql<Date>`countersign_now()`,
    })
    .execute();
}

/** How many refusals of this kind are on record for this run, and whether this very one is. */
export async function refusalsOf(
  db: Executor,
  of: {
    readonly runId: string;
    readonly asked: string;
    readonly reason: string;
    readonly detail: string;
  },
): Promise<{ readonly count: number; readonly same: boolean }> {
  const { count, same } = await db
    .selectFrom('refusals')
    .select([
      sql<number>`count(*)`.as('count'),
      sql<boolean>`coalesce(bool_or(detail = ${of.detail}), false)`.as('same'),
    ])
    .where('run_id', '=', of.runId)
    .where((eb) =>
      // A gate that is not there may bear any name: all of those count together.
      of.reason === 'gate-unknown' ? eb('reason', '=', of.reason) : eb('asked', '=', of.asked),
    )
    .executeTakeFirstOrThrow();
  return { count, same };
}
