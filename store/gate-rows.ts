import { sql } from 'kysely';
import type { Plan, Quote } from '../domain/plan.js';
import type { Executor } from './connect.js';
import { tellOfGate } from './gate-notices.js';
import { appendLog } from './log.js';
import type { Row } from './schema.js';

/** The last revision of a run's gate, or undefined before its first. */
export async function latestGate(
  db: Executor,
  of: { readonly runId: string; readonly gate: string },
): Promise<Row<'gates'> | undefined> {
  return db
    .selectFrom('gates')
    .selectAll()
    .where('run_id', '=', of.runId)
    .where('gate', '=', of.gate)
    .orderBy('revision', 'desc')
    .limit(1)
    .executeTakeFirst();
}

export async function readGate(db: Executor, gateId: string): Promise<Row<'gates'> | undefined> {
  return db.selectFrom('gates').selectAll().where('gate_id', '=', gateId).executeTakeFirst();
}

/** The gate's row, held until the transaction ends. */
export async function lockGate(tx: Executor, gateId: string): Promise<Row<'gates'> | undefined> {
  return tx
    .selectFrom('gates')
    .selectAll()
    .where('gate_id', '=', gateId)
    .forUpdate()
    .executeTakeFirst();
}

/** The plan revision that a gate was opened over, with its quote. */
export async function planOfGate(
  db: Executor,
  gate: Row<'gates'>,
): Promise<{ readonly plan: Plan; readonly quote: Quote } | undefined> {
  const row = await db
    .selectFrom('plans')
    .select(['plan', 'quote'])
    .where('run_id', '=', gate.run_id)
    .where('revision', '=', gate.plan_revision)
    .executeTakeFirst();
  return row === undefined
    ? undefined
    : { plan: JSON.parse(row.plan) as Plan, quote: JSON.parse(row.quote) as Quote };
}

/** Writes a gate as it opens. Its trigger makes the revision before it void. */
export async function insertGate(
  tx: Executor,
  gate: Pick<
    Row<'gates'>,
    | 'gate_id'
    | 'run_id'
    | 'gate'
    | 'revision'
    | 'plan_revision'
    | 'document'
    | 'digest'
    | 'card'
    | 'card_digest'
    | 'actions'
    | 'policy_version'
    | 'opened_at'
    | 'expires_at'
    | 'remind_at'
    | 'escalate_at'
  >,
): Promise<void> {
  await tx
    .insertInto('gates')
    .values({ ...gate, reason: null, closed_by: null, closed_at: null })
    .execute();
}

/** Moves a gate forward, once; whether it was this call that moved it. */
export async function closeGate(
  tx: Executor,
  of: {
    readonly gateId: string;
    readonly from: readonly Row<'gates'>['state'][];
    readonly to: 'granted' | 'rejected' | 'expired' | 'void';
    readonly reason: string | null;
    readonly by: string;
  },
): Promise<boolean> {
  const closed = await tx
    .updateTable('gates')
    .set({
      state: of.to,
      reason: of.reason,
      closed_by: of.by,
      closed_at: sql<Date>`countersign_now()`,
    })
    .where('gate_id', '=', of.gateId)
    .where('state', 'in', [...of.from])
    .returningAll()
    .executeTakeFirst();
  if (closed === undefined) return false;
  await tellOfGate(tx, `gate-${of.to}`, closed, /^[ps]_/.test(of.by) ? { by: of.by } : {});
  await appendLog(tx, {
    kind: 'gate',
    runId: closed.run_id,
    payload: { gateId: of.gateId, state: of.to, reason: of.reason, by: of.by },
  });
  return true;
}
