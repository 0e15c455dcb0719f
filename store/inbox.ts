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

/** A run that goes forward no more by itself. */
export interface RunAtRest {
  readonly runId: string;
  /** `stopped`: its own stop stands; `taken-back`: its door is closed and it has not ended. */
  readonly state: 'stopped' | 'taken-back';
  /** Whose reversal has begun and not ended; null where there is none. */
  readonly step: string | null;
  /** What the stop said, or the cause on record: `rejected provision/launch-7:plan:1`, `failure deploy-site`. */
  readonly why: string;
}

/** Runs that were stopped one by one, or are being taken back; oldest first. */
export async function runsAtRest(db: Executor): Promise<RunAtRest[]> {
  const { rows } = await sql<RunAtRest>`
    select r.run_id as "runId",
           case when r.door = 'closed' then 'taken-back' else 'stopped' end as state,
           (select string_agg(e.step, ', ' order by e.step) from effects e
             where e.run_id = r.run_id and e.kind = 'act' and e.state = 'closing') as step,
           coalesce(s.reason, concat_ws(' ', c.cause->>'kind',
             coalesce(c.cause->>'step', c.cause->>'gateId', c.cause->>'status')), '') as why
      from runs r
      left join fences f on f.scope = 'run/' || r.run_id
      left join stops s on s.stop_id = f.stop_id
      left join lateral (select r.door_cause::jsonb as cause) c on true
     where r.end_phase is null and (r.door = 'closed' or (r.door = 'open' and f.stop_id is not null))
     order by r.admitted_at`.execute(db);
  return rows;
}
