import { sql } from 'kysely';
import type { Executor } from './connect.js';

/** How many subscriptions a stop has paused, and how many do not stand yet as the stops in force make of them. */
export async function countPauses(
  db: Executor,
): Promise<{ readonly paused: number; readonly moving: number }> {
  const { rows } = await sql<{ paused: number; moving: number }>`
    select count(*) filter (where state = 'paused' and not of_others) as paused,
           count(*) filter (where wants <> state or not settled) as moving
      from pauses_standing()`.execute(db);
  return rows[0] ?? { paused: 0, moving: 0 };
}
