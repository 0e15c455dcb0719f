import { sql } from 'kysely';
import type { Executor } from './connect.js';
import type { Row } from './schema.js';

/** What an operator reads over all runs: stops, and how much is going on. */

/** Each run's own cap by its id, in minor units. */
export async function budgetsOfRuns(db: Executor): Promise<ReadonlyMap<string, number>> {
  const rows = await db.selectFrom('runs').select(['run_id', 'budget_minor']).execute();
  return new Map(rows.map((row) => [row.run_id, row.budget_minor]));
}

/** Stops that are in force, oldest first. */
export async function listStops(db: Executor): Promise<Row<'stops'>[]> {
  return db
    .selectFrom('fences')
    .innerJoin('stops', 'stops.stop_id', 'fences.stop_id')
    .selectAll('stops')
    .orderBy('stops.stop_id')
    .execute();
}

/** Runs that have not ended and stand under a scope (`all`, `run/x`, `agent/x`, `principal/x`, `provider/x`: those that still act there). */
export async function openRunsUnder(db: Executor, scope: string): Promise<Row<'runs'>[]> {
  const [kind = '', id = ''] = scope.split(/\/(.*)/s);
  let query = db
    .selectFrom('runs')
    .selectAll()
    .where('end_phase', 'is', null)
    .where('door', '<>', 'completed')
    .orderBy('admitted_at');
  if (kind === 'run') query = query.where('run_id', '=', id);
  if (kind === 'agent') query = query.where('agent', '=', id);
  if (kind === 'principal') query = query.where('principal', '=', id);
  if (kind === 'provider')
    query = query.where((eb) =>
      eb.exists(
        eb
          .selectFrom('plan_steps as s')
          .select('s.step')
          .whereRef('s.run_id', '=', 'runs.run_id')
          .whereRef('s.revision', '=', 'runs.plan_revision')
          .where('s.kind', '=', 'act')
          .where('s.provider', '=', id),
      ),
    );
  return query.execute();
}

/** Where each of these runs stands on record: its end, `completed`, `unwinding` or `open`; unknown ones are left out. */
export async function endsOnRecord(
  db: Executor,
  runIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (runIds.length === 0) return new Map();
  const rows = await db
    .selectFrom('runs')
    .select(['run_id', 'door', 'end_phase'])
    .where('run_id', 'in', runIds)
    .execute();
  const standing = { open: 'open', closed: 'unwinding', completed: 'completed' } as const;
  return new Map(rows.map((row) => [row.run_id, row.end_phase ?? standing[row.door]]));
}

export interface Counts {
  readonly openRuns: number;
  readonly openGates: number;
  readonly openCases: number;
  readonly persons: number;
  readonly policyVersion: number | null;
  readonly policyDigest: string | null;
  /** By the control database's clock, which tests and the demo may have moved. */
  readonly now: Date;
  readonly advancedMs: number;
}

export async function readCounts(db: Executor): Promise<Counts> {
  const { rows } = await sql<Counts>`
    select
      (select count(*) from runs where end_phase is null and door <> 'completed') as "openRuns",
      (select count(*) from gates where state = 'open') as "openGates",
      (select count(*) from cases where closed_at is null) as "openCases",
      (select count(*) from persons) as "persons",
      (select max(version)::bigint from policies) as "policyVersion",
      (select digest from policies order by version desc limit 1) as "policyDigest",
      countersign_now() as "now",
      coalesce((select advance_ms from clock), 0)::bigint as "advancedMs"`.execute(db);
  const [row] = rows;
  if (row === undefined) throw new Error('the overview answered nothing');
  return row;
}
