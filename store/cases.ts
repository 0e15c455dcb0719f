import { sql } from 'kysely';
import type { Executor } from './connect.js';
import type { Row } from './schema.js';

export interface NewCase {
  readonly runId?: string;
  readonly effectId?: string;
  readonly kind: string;
  /** What a person has to see to, in words. */
  readonly text: string;
}

/** Opens a case for a person; one that is open for the same effect and kind stands. */
export async function openCase(db: Executor, what: NewCase): Promise<void> {
  await sql`insert into cases (run_id, effect_id, kind, text, opened_at)
    select ${what.runId ?? null}::text, ${what.effectId ?? null}::text, ${what.kind}::text,
           ${what.text}::text, countersign_now()
     where not exists (select 1 from cases c where c.closed_at is null and c.kind = ${what.kind}
       and c.run_id is not distinct from ${what.runId ?? null}::text
       and c.effect_id is not distinct from ${what.effectId ?? null}::text)`.execute(db);
}

/** Cases that still need a person, of one run or of all, oldest first. */
export async function openCases(db: Executor, runId?: string): Promise<Row<'cases'>[]> {
  const query = db.selectFrom('cases').selectAll().where('closed_at', 'is', null);
  return (runId === undefined ? query : query.where('run_id', '=', runId))
    .orderBy('case_id')
    .execute();
}

/** Closes a case in a person's name; false when it is unknown or closed already. */
export async function closeCase(db: Executor, caseId: number, by: string): Promise<boolean> {
  const closed = await db
    .updateTable('cases')
    .set({ closed_at: sql<Date>`countersign_now()`, closed_by: by })
    .where('case_id', '=', caseId)
    .where('closed_at', 'is', null)
    .executeTakeFirst();
  return closed.numUpdatedRows > 0n;
}
