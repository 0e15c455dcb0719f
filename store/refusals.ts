import { sql } from 'kysely';
import type { Executor } from './connect.js';

/** What was asked for and not done, and why: by reason, for whoever looks after the system. */
export interface Refused {
  readonly runId?: string;
  /** The call, e.g. `admit`, `decide`, `perform register-domain`. */
  readonly asked: string;
  readonly reason: string;
  readonly detail: string;
}

/** What was refused to a run after the refusal numbered `after` (0: ever), oldest first. */
export async function refusalsAfter(
  db: Executor,
  of: { readonly runId: string; readonly asked: string; readonly after: number },
): Promise<readonly { readonly id: number; readonly reason: string; readonly detail: string }[]> {
  return db
    .selectFrom('refusals')
    .select(['id', 'reason', 'detail'])
    .where('run_id', '=', of.runId)
    .where('asked', '=', of.asked)
    .where('id', '>', of.after)
    .orderBy('id')
    .execute();
}

/**
 * Records a refusal and logs it; the detail is cut short, for it may hold what a stranger sent. The last thing of a
 * transaction: it takes the log's head.
 */
export async function recordRefusal(db: Executor, refused: Refused): Promise<void> {
  const { runId, asked, reason, detail } = refused;
  await sql`select log_refusal(${runId ?? null}::text, ${asked}, ${reason}, ${detail})`.execute(db);
}
