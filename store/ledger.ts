import { sql } from 'kysely';
import type { Executor } from './connect.js';
import type { Row } from './schema.js';

/** What one step may cost at most, and every cap it falls under. Amounts in minor units. */
export interface PlanCost {
  readonly step: string;
  readonly costMinor: number;
  readonly currency: string;
  readonly caps: readonly { readonly scope: string; readonly capMinor: number }[];
}

/**
 * Reserves the costs of a whole plan under this month's caps, all or none; asked again it changes nothing. Runs in
 * the transaction that opens the gate, which holds fence, run and gate by then, in this order; ask before the log
 * entry is written. Raises SQLSTATE CS002 with a message that names the cap.
 */
export async function reservePlan(
  tx: Executor,
  runId: string,
  costs: readonly PlanCost[],
): Promise<void> {
  await sql`select reserve_plan(${runId}, ${JSON.stringify(costs)}::jsonb)`.execute(tx);
}

/** Every balance of a month (`YYYY-MM`, UTC), or of the current one. Amounts in minor units. */
export async function readBalances(db: Executor, month?: string): Promise<Row<'balances'>[]> {
  return db
    .selectFrom('balances')
    .selectAll()
    .where('month', '=', sql<string>`coalesce(${month ?? null}, utc_month(countersign_now()))`)
    .orderBy('scope')
    .execute();
}

export async function readPostings(db: Executor, runId: string): Promise<Row<'postings'>[]> {
  return db.selectFrom('postings').selectAll().where('run_id', '=', runId).orderBy('id').execute();
}

export async function readReservations(
  db: Executor,
  runId: string,
): Promise<Row<'reservations'>[]> {
  return db.selectFrom('reservations').selectAll().where('run_id', '=', runId).execute();
}
