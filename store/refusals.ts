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

/**
 * Records a refusal and logs it; the detail is cut short, for it may hold what a stranger sent. The last thing of a
 * transaction: it takes the log's head.
 */
export async function recordRefusal(db: Executor, refused: Refused): Promise<void> {
  const { runId, asked, reason, detail } = refused;
  await sql`select log_refusal(${runId ?? null}::text, ${asked}, ${reason}, ${detail})`.execute(db);
}
