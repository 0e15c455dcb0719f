import { sql } from 'kysely';
import type { AgentHistory, FormerRun } from '../domain/anomalies.js';
import type { Executor } from './connect.js';
import type { Row } from './schema.js';

/** Older runs say little about what is usual, and reading them all would make planning slower with each run. */
const FORMER_MAX = 200;

/** What an agent did before, beside this run: what it is used to is what its runs really did. */
export async function agentHistory(
  db: Executor,
  of: { readonly agent: string; readonly runId: string },
): Promise<AgentHistory> {
  const former = await sql<FormerRun>`
    select r.environment, p.acts, p.total as "totalMinor"
      from (select r.* from runs r
             where r.agent = ${of.agent} and r.run_id <> ${of.runId} and exists (
               select 1 from effects e
                where e.run_id = r.run_id and e.kind = 'act' and e.object is not null)
             order by r.admitted_at desc limit ${FORMER_MAX}) r
      cross join lateral (
        select coalesce(jsonb_agg(jsonb_build_object('step', s.step, 'provider', s.provider)
                        order by s.position), '[]') as acts,
               coalesce(sum(s.cost_minor), 0)::bigint as total
          from plan_steps s
         where s.run_id = r.run_id and s.revision = r.plan_revision and s.kind = 'act') p
     order by r.admitted_at desc`.execute(db);
  const admitted = await sql<{ ago: number }>`
    select to_ms(countersign_now() - r.admitted_at) as ago from runs r
     where r.agent = ${of.agent} and r.admitted_at > countersign_now() - interval '1 day'`.execute(
    db,
  );
  const refused = await sql<{ ago: number }>`
    select to_ms(countersign_now() - r.ended_at) as ago from runs r
     where r.agent = ${of.agent} and r.end_phase in ('denied', 'rejected')
       and r.ended_at > countersign_now() - interval '1 day'`.execute(db);
  return {
    former: former.rows,
    admittedAgoMs: admitted.rows.map(({ ago }) => ago),
    refusedAgoMs: refused.rows.map(({ ago }) => ago),
  };
}

/** Puts one on record, with its notice and its log entry; false when it is there already. */
export async function addAnomaly(
  tx: Executor,
  anomaly: {
    readonly runId: string;
    readonly kind: string;
    readonly text: string;
    readonly consequence: 'note' | 'gate' | 'stop';
    /** Names the sight for ever. */
    readonly dedupe: string;
  },
): Promise<boolean> {
  const { rows } = await sql<{ added: boolean }>`
    select anomaly_add(${JSON.stringify(anomaly)}::jsonb) as added`.execute(tx);
  return rows[0]?.added === true;
}

/** What was unusual about a run, in the order in which it was seen. */
export async function anomaliesOf(
  db: Executor,
  runId: string,
): Promise<readonly Row<'anomalies'>[]> {
  return db
    .selectFrom('anomalies')
    .selectAll()
    .where('run_id', '=', runId)
    .orderBy('anomaly_id')
    .execute();
}

/** How many of each kind were ever seen: for metrics. */
export async function anomalyCounts(
  db: Executor,
): Promise<
  readonly { readonly kind: string; readonly consequence: string; readonly count: number }[]
> {
  return db
    .selectFrom('anomalies')
    .select(['kind', 'consequence', sql<number>`count(*)`.as('count')])
    .groupBy(['kind', 'consequence'])
    .orderBy('kind')
    .execute();
}
