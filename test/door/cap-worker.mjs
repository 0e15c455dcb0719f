/** One process of the cap race: asks the door for every action it is given, eight at a time, and prints the verdicts. */
import { createInterface } from 'node:readline';
import pg from 'pg';

const pool = new pg.Pool({ connectionString: process.argv[2], max: 8 });
const asks = [];
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'go') break;
  asks.push(JSON.parse(line));
  if (asks.length === 1) await pool.query('select 1');
}
const verdicts = await Promise.all(
  asks.map(async (ask) => {
    try {
      const text = 'select * from door_authorize($1::jsonb)';
      const { rows } = await pool.query(text, [JSON.stringify(ask)]);
      return rows[0].verdict;
    } catch (error) {
      return error.code;
    }
  }),
);
await pool.end();
process.stdout.write(JSON.stringify(verdicts));
