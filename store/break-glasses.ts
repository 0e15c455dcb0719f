import { sql } from 'kysely';
import type { Executor } from './connect.js';
import type { Row } from './schema.js';

const REVIEW = 'break-glass-review';

/** Keeps two break-glasses apart; held until the transaction ends. */
export async function lockGlasses(tx: Executor): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended('break-glass', 0))`.execute(tx);
}

/** Reviews that somebody still owes. */
export async function openReviews(
  tx: Executor,
): Promise<Pick<Row<'cases'>, 'run_id' | 'person_id'>[]> {
  return tx
    .selectFrom('cases')
    .select(['run_id', 'person_id'])
    .where('kind', '=', REVIEW)
    .where('closed_at', 'is', null)
    .execute();
}

/** When the first break-glass of a run that is still owed a review ends. */
export async function runsGlassUntil(tx: Executor, runId: string): Promise<Date | undefined> {
  const { rows } = await sql<{ until: Date | null }>`
    select min(b.expires_at) as until from break_glasses b
     where b.run_id = ${runId} and b.recorded_at >= (
       select min(c.opened_at) from cases c
        where c.kind = ${REVIEW} and c.run_id = b.run_id and c.closed_at is null)`.execute(tx);
  return rows[0]?.until ?? undefined;
}

/** The last gates of a run that one person passed alone, for the cards of its later ones: three tell enough. */
export async function gatesPassedAlone(
  tx: Executor,
  runId: string,
): Promise<{ gateId: string; person: string }[]> {
  const rows = await tx
    .selectFrom('break_glasses')
    .select(['gate_id as gateId', 'person_id as person'])
    .where('run_id', '=', runId)
    .orderBy('recorded_at', 'desc')
    .limit(3)
    .execute();
  return rows.reverse();
}

/** Writes a break-glass with the review that somebody else owes for it; answers the number of that case. */
export async function insertGlass(
  tx: Executor,
  of: {
    readonly gateId: string;
    readonly runId: string;
    readonly digest: string;
    readonly person: string;
    readonly expiresAt: string;
    readonly reason: string;
  },
): Promise<number> {
  const text = `${of.person} passed the gate ${of.gateId} alone, by break-glass, until ${of.expiresAt}. Their reason: ${of.reason}`;
  await sql`select open_case(${of.runId}, null, ${REVIEW}, ${text}, null, null, ${of.person})
    where not exists (select 1 from cases c where c.kind = ${REVIEW} and c.closed_at is null
      and c.run_id = ${of.runId})`.execute(tx);
  await tx
    .insertInto('break_glasses')
    .values({
      gate_id: of.gateId,
      run_id: of.runId,
      digest: of.digest,
      person_id: of.person,
      expires_at: new Date(of.expiresAt),
    })
    .execute();
  const row = await tx
    .selectFrom('cases')
    .select('case_id')
    .where('kind', '=', REVIEW)
    .where('run_id', '=', of.runId)
    .where('closed_at', 'is', null)
    .executeTakeFirstOrThrow();
  return row.case_id;
}
