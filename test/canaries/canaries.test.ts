import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { sql } from 'kysely';
import { WORLD } from '../../cli/demo/stage.js';
import { approve, ended, openTestStage, type TestStage } from '../helpers/stage.js';
import { heldIn, secretsOf } from './secrets.js';

/** A completed run and one that failed and was taken back: everything they left behind is searched for secrets. */
const GOOD = { runId: 'canary-good', domain: 'yellow-wren.club' };
const BAD = { runId: 'canary-bad', domain: 'grey-starling.club' };

let stage: TestStage;
let connection: Connection;
let secrets: ReadonlyMap<string, string>;
beforeAll(async () => {
  stage = await openTestStage();
  connection = await Connection.connect({ address: stage.stack.endpoints.temporalAddress });
  secrets = await secretsOf(
    stage,
    [GOOD, BAD].map(({ runId }) => `${runId}@example.com`),
  );
  await play(GOOD, 'completed');
  await stage.sandbox.faults(WORLD, [
    {
      provider: 'cloudflare',
      method: 'PUT',
      path: '/client/v4/accounts/*/workers/scripts/*',
      times: 1_000,
      fault: 'refuse',
    },
  ]);
  await play(BAD, 'reversed');
}, 900_000);
afterAll(async () => {
  await connection.close();
  await stage.close();
}, 60_000);

async function play(run: typeof GOOD, end: string): Promise<void> {
  const handle = await stage.start(run);
  await approve(stage, handle, 'plan');
  await approve(stage, handle, 'register-domain');
  expect(await ended(handle)).toMatchObject({ phase: end });
}

/** Every history with its failures, memos and search attributes; bytes as base64. */
async function histories(): Promise<string> {
  const { workflow } = new Client({ connection });
  const texts: string[] = [];
  for await (const { workflowId, runId } of workflow.list())
    texts.push(JSON.stringify(await workflow.getHandle(workflowId, runId).fetchHistory()));
  return texts.join('\n');
}

/** Every row of every table, by the table's name. */
async function tables(): Promise<ReadonlyMap<string, string>> {
  const { rows: names } = await sql<{ name: string }>`
    select table_name as name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE'
  `.execute(stage.db);
  const dumps = await Promise.all(
    names.map(async ({ name }) => {
      const { rows } = await sql<{ row: string }>`
        select to_jsonb(t)::text as row from ${sql.table(name)} t`.execute(stage.db);
      return [name, rows.map(({ row }) => row).join('\n')] as const;
    }),
  );
  return new Map(dumps);
}

const isAddress = (name: string): boolean => name.startsWith('e-mail');

function logs(): string {
  const folder = path.join(stage.stack.dataDir, 'logs');
  return readdirSync(folder)
    .map((name) => readFileSync(path.join(folder, name), 'utf8'))
    .join('\n');
}

test('no secret is in any history, with its failures, memos and search attributes', async () => {
  const text = await histories();
  expect(text).toContain(Buffer.from(GOOD.runId).toString('base64').slice(0, 8));
  expect(heldIn(text, secrets)).toEqual([]);
}, 120_000);

test('no secret is in any table; an address is in that of the principals and in the actions of its plan', async () => {
  const held = [...(await tables())].flatMap(([table, text]) =>
    heldIn(text, secrets).map((name) => `${table}: ${isAddress(name) ? 'e-mail address' : name}`),
  );
  expect([...new Set(held)].sort()).toEqual([
    'plans: e-mail address',
    'principals: e-mail address',
  ]);
}, 120_000);

test('no secret is in what any process has written, nor in what the command line has said', () => {
  const text = `${logs()}\n${stage.said()}`;
  expect(text).toContain('is polling');
  expect(heldIn(text, secrets)).toEqual([]);
});

test('each secret is found where somebody puts it: in a history, in a table, in a log', async () => {
  const { workflow } = new Client({ connection });
  const all = [...secrets.values()].map((secret) => `leak: ${secret}`);
  await workflow.start('nobodys', {
    workflowId: 'canary-leak',
    taskQueue: 'nobodys',
    args: all,
  });
  const names = [...secrets.keys()];
  expect(heldIn(await histories(), secrets)).toEqual(names);
  await sql`create table leak as select ${all.join(' ')}::text as words`.execute(stage.db);
  expect(heldIn((await tables()).get('leak') ?? '', secrets)).toEqual(names);
  expect(heldIn(all.join('\n'), secrets)).toEqual(names);
}, 120_000);
