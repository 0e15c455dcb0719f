import { sql } from 'kysely';
import type { Executor } from './connect.js';
import type { Row } from './schema.js';

const remainingMs =
  sql<number>`(extract(epoch from gates.expires_at - countersign_now()) * 1000)::bigint`.as(
    'expires_in_ms',
  );

export interface OpenGateRow extends Row<'gates'> {
  readonly domain: string;
  readonly agent: string;
  readonly environment: string;
  /** By the control database's clock, in ms; negative when its time is over. */
  readonly expires_in_ms: number;
}

/** Gates that wait for a decision, soonest to expire first; of one run, or of all. */
export async function openGates(db: Executor, runId?: string): Promise<OpenGateRow[]> {
  let query = db
    .selectFrom('gates')
    .innerJoin('runs', 'runs.run_id', 'gates.run_id')
    .selectAll('gates')
    .select(['runs.domain', 'runs.agent', 'runs.environment'])
    .select(remainingMs)
    .where('gates.state', '=', 'open')
    .orderBy('gates.expires_at');
  if (runId !== undefined) query = query.where('gates.run_id', '=', runId);
  return query.execute();
}
