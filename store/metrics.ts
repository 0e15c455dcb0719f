import { sql } from 'kysely';
import type { Executor } from './connect.js';

/** One value of a metric: what is counted, by the words that tell it apart. */
export interface Counted {
  readonly by: Readonly<Record<string, string>>;
  readonly count: number;
}

/** Runs by how they ended; those that have not by how their door stands. */
export async function runsByState(db: Executor): Promise<readonly Counted[]> {
  const { rows } = await sql<{ state: string; count: number }>`
    select coalesce(end_phase, case door when 'open' then 'open' when 'completed' then 'completed'
             else 'unwinding' end) as state, count(*) as count
      from runs group by 1 order by 1`.execute(db);
  return rows.map(({ count, state }) => ({ by: { state }, count }));
}

/** Gates that wait for a decision. */
export async function openGateCount(db: Executor): Promise<readonly Counted[]> {
  const { rows } = await sql<{ count: number }>`
    select count(*) as count from gates where state = 'open'`.execute(db);
  return rows.map(({ count }) => ({ by: {}, count }));
}

/** Cases that nobody has closed, by kind. */
export async function openCasesByKind(db: Executor): Promise<readonly Counted[]> {
  const { rows } = await sql<{ kind: string; count: number }>`
    select kind, count(*) as count from cases where closed_at is null group by kind order by kind`.execute(
    db,
  );
  return rows.map(({ count, kind }) => ({ by: { kind }, count }));
}

/** What was refused, ever, by reason; the long tail of reasons together, for a stranger may bring any number of words. */
export async function refusalsByReason(db: Executor): Promise<readonly Counted[]> {
  const { rows } = await sql<{ reason: string; count: number }>`
    select reason, sum(count)::bigint as count from (
      select case when rank <= 100 then reason else 'other' end as reason, count from (
        select reason, count(*) as count,
               row_number() over (order by count(*) desc, reason) as rank
          from refusals group by reason) ranked) kept
     group by reason order by reason`.execute(db);
  return rows.map(({ count, reason }) => ({ by: { reason }, count }));
}
