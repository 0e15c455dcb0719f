import type { Executor } from './connect.js';
import type { Row } from './schema.js';

/** A run, and the one that tears it down or has done so. */
export interface Torn {
  readonly row: Row<'runs'>;
  readonly by: string | undefined;
  readonly done: boolean;
}

/** The run's row, held until the transaction ends, so that of two teardowns at once the second sees the first. */
export async function lockTorn(tx: Executor, runId: string): Promise<Torn | undefined> {
  const row = await tx
    .selectFrom('runs')
    .selectAll()
    .where('run_id', '=', runId)
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const by = await tornDownBy(tx, runId);
  return { row, by: by?.runId, done: by?.done === true };
}

/** The run that has torn this one down, or is about to; one that was given up half-way no longer counts. */
export async function tornDownBy(
  db: Executor,
  runId: string,
): Promise<{ readonly runId: string; readonly done: boolean } | undefined> {
  const row = await db
    .selectFrom('runs')
    .select(['run_id', 'door'])
    .where('tears_down', '=', runId)
    .where('door', '<>', 'closed')
    .executeTakeFirst();
  return row === undefined ? undefined : { runId: row.run_id, done: row.door === 'completed' };
}

/** Steps whose effect another run than `by` has taken down, or has set out to. */
export async function stepsTorn(
  db: Executor,
  of: { readonly runId: string; readonly by: string },
): Promise<ReadonlySet<string>> {
  const rows = await db
    .selectFrom('effects')
    .select('step')
    .where('run_id', '=', of.runId)
    .where('kind', '=', 'act')
    .where('torn_by', 'is not', null)
    .where('torn_by', '<>', of.by)
    .execute();
  return new Set(rows.map(({ step }) => step));
}
