import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { advanceClock, databaseNow } from '../../store/clock.js';
import { connect, type Database } from '../../store/connect.js';
import { migrate } from '../../store/migrate.js';
import { freshDatabase, type FreshDatabase } from '../helpers/database.js';

let scratch: FreshDatabase;
let db: Database;

beforeAll(async () => {
  scratch = await freshDatabase();
  await migrate(scratch.url, { mode: 'embedded' });
  db = connect(scratch.url);
});
afterAll(async () => {
  await db.destroy();
  await scratch.drop();
});

test('several migrations at once make one schema and one instance id', async () => {
  const other = await freshDatabase();
  try {
    const rows = await Promise.all([1, 2, 3].map(() => migrate(other.url)));
    expect(new Set(rows.map((row) => row.id)).size).toBe(1);
    expect(rows[0]?.mode).toBe('production');
    await expect(migrate(other.url, { mode: 'embedded' })).rejects.toThrow('cannot serve');
  } finally {
    await other.drop();
  }
});

test('the clock of an embedded instance moves forward and never back', async () => {
  const before = await databaseNow(db);
  await advanceClock(db, 90_000);
  const after = await databaseNow(db);
  expect(after.getTime() - before.getTime()).toBeGreaterThanOrEqual(90_000);
  await expect(advanceClock(db, -1)).rejects.toThrow('only moves forward');
});

test('the clock of a production instance cannot be moved', async () => {
  const other = await freshDatabase();
  try {
    await migrate(other.url);
    const production = connect(other.url);
    try {
      await expect(advanceClock(production, 1)).rejects.toThrow('production instance');
    } finally {
      await production.destroy();
    }
  } finally {
    await other.drop();
  }
});

test.each([
  ['update log set kind = kind'],
  ['delete from log'],
  ['truncate log cascade'],
  ['delete from postings'],
  ['truncate postings'],
  ['delete from policies'],
  ['truncate policies cascade'],
  ['truncate effects cascade'],
  ['truncate decisions cascade'],
])('the database refuses: %s', async (statement) => {
  await sql`insert into policies values
      ((select coalesce(max(version), 0) + 1 from policies), 'd', '{}', 'p_x', now())`.execute(db);
  await sql`insert into log
      values ((select coalesce(max(idx), 0) + 1 from log), 'k', null, now(), 'l', 'p', 'h')`.execute(
    db,
  );
  await sql`insert into postings (run_id, step, kind, month, currency, amount_minor, scopes, posted_at)
      values ('r', 's', 'reserve', '2026-01', 'USD', 1, '{}', now())`.execute(db);
  await expect(sql.raw(statement).execute(db)).rejects.toThrow(/append-only/);
});

test('a policy version that does not follow the one in force is refused', async () => {
  await expect(
    sql`insert into policies values (99, 'd', '{}', 'p_x', now())`.execute(db),
  ).rejects.toThrow('does not follow');
});

test('amounts arrive as numbers, and beyond the safe range as an error', async () => {
  const read = await sql<{ n: number }>`select 9007199254740991::bigint as n`.execute(db);
  expect(read.rows[0]?.n).toBe(Number.MAX_SAFE_INTEGER);
  await expect(sql`select 9007199254740992::bigint as n`.execute(db)).rejects.toThrow('safe range');
});

test('a door of another version is replaced whole by a migrate, and what it holds stays', async () => {
  const other = await freshDatabase();
  try {
    const { id } = await migrate(other.url);
    const former = connect(other.url);
    try {
      // As an earlier version would have left it: one function less, one with other arguments.
      await sql`drop function door_stop(text, text, text, boolean, text, text[], boolean)`.execute(
        former,
      );
      await sql
        .raw(
          "create function door_stop(p_scope text) returns bigint language sql as 'select 1::bigint'",
        )
        .execute(former);
      await sql`update instance set door_digest = 'another'`.execute(former);
      expect((await migrate(other.url)).id).toBe(id);
      const { rows } = await sql<{ count: number }>`
        select count(*)::int as count from pg_proc where proname = 'door_stop' and pronargs = 7`.execute(
        former,
      );
      expect(rows[0]?.count).toBe(1);
      const stopped = sql`select door_stop('all', 'why', 'somebody', false, 'hold')`;
      await expect(stopped.execute(former)).resolves.toBeDefined();
    } finally {
      await former.destroy();
    }
  } finally {
    await other.drop();
  }
});
