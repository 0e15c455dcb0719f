import { sql } from 'kysely';
import type { Executor } from './connect.js';

/** The control database's time, which is the only one that decides anything. */
export async function databaseNow(db: Executor): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`select countersign_now() as now`.execute(db);
  const [row] = rows;
  if (row === undefined) throw new Error('countersign_now() answered nothing');
  return row.now;
}

/** Moves the control database's clock forward by `ms`: for tests and the demo; a production instance refuses. */
export async function advanceClock(db: Executor, ms: number): Promise<void> {
  await db
    .updateTable('clock')
    .set((eb) => ({ advance_ms: eb('advance_ms', '+', ms) }))
    .execute();
}

/** The database server's own clock, without what tests have advanced: to compare with this machine's. */
export async function databaseClock(db: Executor): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`select clock_timestamp() as now`.execute(db);
  const [row] = rows;
  if (row === undefined) throw new Error('the database did not tell its time');
  return row.now;
}
