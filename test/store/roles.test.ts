import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { connect, type Database } from '../../store/connect.js';
import { CALLS, isOwner, PLAIN, READS, ROLES, WRITES, type RoleName } from '../../store/roles.js';
import { freshDatabase, letIn, type FreshDatabase } from '../helpers/database.js';

const ROOT = path.resolve(import.meta.dirname, '../..');
const FOLDERS = ['store', 'gateway', 'cli', 'workers', 'client', 'embedded', 'server'];
let fresh: FreshDatabase;
let owner: Database;
let ours: Database;

beforeAll(async () => {
  fresh = await freshDatabase();
  await letIn(fresh);
  owner = connect(fresh.url, { max: 2 });
  ours = connect(fresh.applicationUrl, { max: 2 });
});
afterAll(async () => {
  await ours.destroy();
  await owner.destroy();
  await fresh.drop();
});

/** What a role is told when it tries a statement, in a transaction that is taken back. */
async function told(role: RoleName, statement: string): Promise<string> {
  try {
    await owner.transaction().execute(async (tx) => {
      await sql.raw(`set local role ${ROLES[role]}`).execute(tx);
      await sql.raw(statement).execute(tx);
      throw new Error('done');
    });
    return 'done';
  } catch (error) {
    return error instanceof Error ? error.message : '';
  }
}

/** All our TypeScript that talks to the database, less the door and the migrations, which run as the owner. */
function sources(): readonly { readonly file: string; readonly text: string }[] {
  return FOLDERS.flatMap((folder) => {
    let names: string[];
    try {
      names = readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' });
    } catch {
      return [];
    }
    return names
      .filter((name) => name.endsWith('.ts'))
      .map((name) => path.join(folder, name))
      .filter((file) => !/^store\/(door-sql|migrations|migrate\.ts|roles\.ts)/.test(file))
      .map((file) => ({ file, text: readFileSync(path.join(ROOT, file), 'utf8') }));
  });
}

const FORBIDDEN: readonly (readonly [RoleName, string, string])[] = [
  ['gateway', `insert into effects (effect_id) values ('x')`, 'table effects'],
  ['gateway', `update effects set state = 'succeeded'`, 'table effects'],
  ['gateway', `insert into grant_uses values ('g', 'd', 'e', now())`, 'table grant_uses'],
  ['gateway', `update balances set captured_minor = 0`, 'table balances'],
  ['gateway', `insert into postings (run_id) values ('x')`, 'table postings'],
  ['gateway', `update reservations set amount_minor = 0`, 'table reservations'],
  ['gateway', `delete from fences`, 'table fences'],
  ['gateway', `update stops set lifted_at = now()`, 'table stops'],
  ['gateway', `insert into cases (kind) values ('x')`, 'table cases'],
  ['gateway', `insert into log (idx) values (1)`, 'table log'],
  ['gateway', `update log_head set idx = 0`, 'table log_head'],
  ['gateway', `delete from log_payloads`, 'table log_payloads'],
  ['gateway', `truncate log`, 'table log'],
  ['gateway', `update decisions set accepted = true`, 'table decisions'],
  ['gateway', `update policies set document = '{}'`, 'table policies'],
  ['gateway', `update runs set door = 'open'`, 'table runs'],
  ['gateway', `update instance set id = 'x'`, 'table instance'],
  ['gateway', `delete from gates`, 'table gates'],
  ['gateway', `select door_capture('x', 0)`, 'function door_capture'],
  ['gateway', `select fence_insert('all', 'x', 'x', true, 'unwind')`, 'function fence_insert'],
  ['gateway', `select door_release('r', 's')`, 'function door_release'],
  ['gateway', `alter table log disable trigger all`, 'owner of table log'],
  ['gateway', `create table mine (n int)`, 'schema public'],
  ['server', `select * from door_authorize('{}')`, 'function door_authorize'],
  ['server', `select * from door_settle('{}')`, 'function door_settle'],
  ['server', `select door_resume('all', 'x', 'x')`, 'function door_resume'],
  ['server', `insert into keys (key_id) values ('x')`, 'table keys'],
  ['server', `insert into policies (version) values (2)`, 'table policies'],
  ['server', `insert into gates (gate_id) values ('x')`, 'table gates'],
  ['reader', `insert into runs (run_id) values ('x')`, 'table runs'],
  ['reader', `select log_append('x', null, '{}')`, 'function log_append'],
];

test.each(FORBIDDEN)('%s cannot: %s', async (role, statement, over) => {
  const answer = await told(role, statement);
  expect(answer).toMatch(/permission denied|must be owner/);
  expect(answer).toContain(over.replace('owner of ', ''));
});

describe('what each role may', () => {
  test('every role reads', async () => {
    for (const role of Object.keys(ROLES) as RoleName[]) {
      expect(await told(role, 'select * from effects')).toBe('done');
      expect(await told(role, 'select countersign_now()')).toBe('done');
    }
  });

  test('what the gateway may not write by itself it writes through the door', async () => {
    expect(await told('gateway', `select log_append('test', null, '{}')`)).toBe('done');
    expect(await told('gateway', `select door_stop('all', 'x', 'p', true, 'unwind')`)).toBe('done');
  });

  test('nobody but the owner moves the clock of a production instance, and no login of ours is an owner', async () => {
    expect(await told('gateway', `update clock set advance_ms = advance_ms + 1`)).toBe('done');
    const other = await freshDatabase();
    await letIn(other, 'production');
    const application = connect(other.applicationUrl, { max: 1 });
    await expect(sql`update clock set advance_ms = 1`.execute(application)).rejects.toThrow(
      'permission denied',
    );
    await application.destroy();
    await other.drop();
    expect([await isOwner(owner), await isOwner(ours)]).toEqual([true, false]);
  });

  test('functions that run as the owner look for names in our schema alone', async () => {
    const { rows } = await sql<{ name: string; settings: string[] | null }>`
      select proname as name, proconfig as settings from pg_proc
       where prosecdef and pronamespace = 'public'::regnamespace
         and prorettype <> 'trigger'::regtype`.execute(owner);
    expect(rows.map(({ name }) => name).sort()).toEqual(
      [...new Set([...CALLS.gateway, ...READS])].sort(),
    );
    for (const { settings } of rows) expect(settings).toContain('search_path=public, pg_temp');
  });
});

describe('the lists say what the code does', () => {
  test('each table that our code writes by itself is listed with how', () => {
    const VERBS = { insertInto: 'insert', updateTable: 'update', deleteFrom: 'delete' } as const;
    const missing = sources().flatMap(({ file, text }) =>
      [...text.matchAll(/\b(insertInto|updateTable|deleteFrom)\(\s*'(\w+)'/g)].flatMap(
        ([, verb, table]) => {
          const wanted = VERBS[verb as keyof typeof VERBS];
          const allowed = table === 'clock' ? ['update'] : (WRITES.gateway[table ?? ''] ?? []);
          return allowed.some((privilege) => privilege.startsWith(wanted))
            ? []
            : [`${file}: ${wanted} ${table}: list it in WRITES of store/roles.ts`];
        },
      ),
    );
    expect(missing).toEqual([]);
  });

  test('each function that our code calls is listed', async () => {
    const { rows } = await sql<{ name: string }>`
      select distinct proname as name from pg_proc
       where pronamespace = 'public'::regnamespace and prorettype <> 'trigger'::regtype`.execute(
      owner,
    );
    const listed = new Set<string>([...PLAIN, ...READS, ...CALLS.gateway]);
    const names = rows.map(({ name }) => name).filter((name) => name.includes('_'));
    const missing = sources().flatMap(({ file, text }) =>
      names
        .filter((name) => !listed.has(name) && new RegExp(`(?<![.\\w])${name}\\(`).test(text))
        .map((name) => `${file}: ${name}: list it in CALLS, READS or PLAIN of store/roles.ts`),
    );
    expect(missing).toEqual([]);
  });

  test('nothing is listed that is not there', async () => {
    const { rows } = await sql<{ name: string }>`
      select distinct proname as name from pg_proc
       where pronamespace = 'public'::regnamespace`.execute(owner);
    const there = new Set(rows.map(({ name }) => name));
    expect([...PLAIN, ...READS, ...CALLS.gateway].filter((name) => !there.has(name))).toEqual([]);
  });
});
