import { sql } from 'kysely';
import type { Database } from '../../store/connect.js';

/** Every row of every table of the control database as JSON, by the table's name. */
export async function tables(db: Database): Promise<ReadonlyMap<string, string>> {
  const { rows: names } = await sql<{ name: string }>`
    select table_name as name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE' order by 1
  `.execute(db);
  const dumped = new Map<string, string>();
  for (const { name } of names) {
    const { rows } = await sql<{ row: string }>`
      select to_jsonb(t)::text as row from ${sql.table(name)} t`.execute(db);
    dumped.set(name, rows.map(({ row }) => row).join('\n'));
  }
  return dumped;
}
