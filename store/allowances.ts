import { sql } from 'kysely';
import type { Executor } from './connect.js';

/** What an agent has spent, or set aside to spend, without anybody agreeing. Minor units, by UTC day and month. */
export interface UnattendedUse {
  readonly dayMinor: number;
  readonly monthMinor: number;
}

/** As things stand, without what this run itself has taken. The door counts again, under its locks. */
export async function unattendedUse(
  db: Executor,
  of: { readonly agent: string; readonly runId: string },
): Promise<UnattendedUse> {
  const { rows } = await sql<{ day: number; month: number }>`
    with now as (select countersign_now() as at)
    select coalesce(sum(h.amount) filter
             (where h.held_at >= date_trunc('day', n.at, 'UTC')), 0)::bigint as day,
           coalesce(sum(h.amount), 0)::bigint as month
      from allowances h, now n
     where h.scope = ${`unattended:${of.agent}`} and not h.released and h.run_id <> ${of.runId}
       and h.held_at >= date_trunc('month', n.at, 'UTC')`.execute(db);
  return { dayMinor: rows[0]?.day ?? 0, monthMinor: rows[0]?.month ?? 0 };
}
