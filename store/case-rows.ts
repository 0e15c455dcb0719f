import { sql } from 'kysely';
import type { Executor } from './connect.js';
import { appendLog } from './log.js';
import type { Row } from './schema.js';

export interface CaseFilter {
  /** Closed ones too. */
  readonly all?: boolean;
  readonly kind?: string;
  readonly runId?: string;
}

/** Cases, newest first: the open ones, or all; at most 500. */
export async function listCases(db: Executor, filter: CaseFilter = {}): Promise<Row<'cases'>[]> {
  let query = db.selectFrom('cases').selectAll().orderBy('case_id', 'desc').limit(500);
  if (filter.all !== true) query = query.where('closed_at', 'is', null);
  if (filter.kind !== undefined) query = query.where('kind', '=', filter.kind);
  if (filter.runId !== undefined) query = query.where('run_id', '=', filter.runId);
  return query.execute();
}

export async function readCase(db: Executor, caseId: number): Promise<Row<'cases'> | undefined> {
  return db.selectFrom('cases').selectAll().where('case_id', '=', caseId).executeTakeFirst();
}

/** Takes the row's lock: whoever closes it decides under it. */
export async function lockCase(tx: Executor, caseId: number): Promise<Row<'cases'> | undefined> {
  return tx
    .selectFrom('cases')
    .selectAll()
    .where('case_id', '=', caseId)
    .forUpdate()
    .executeTakeFirst();
}

/** Closes an open case by a person's signed word and logs it. The caller holds the row and has judged the statement. */
export async function closeCaseRow(
  tx: Executor,
  closed: {
    readonly row: Row<'cases'>;
    readonly by: string;
    readonly reason: string;
    readonly statement: string;
    readonly digest: string;
  },
): Promise<void> {
  const { by, digest, reason, row, statement } = closed;
  await tx
    .updateTable('cases')
    .set({
      closed_at: sql<Date>`countersign_now()`,
      closed_by: by,
      closed_as: 'by-person',
      close_reason: reason,
      close_statement: statement,
      close_digest: digest,
    })
    .where('case_id', '=', row.case_id)
    .execute();
  await appendLog(tx, {
    kind: 'case-closed',
    ...(row.run_id === null ? {} : { runId: row.run_id }),
    payload: { case: row.case_id, kind: row.kind, by, statement: digest, as: 'by-person' },
  });
}
