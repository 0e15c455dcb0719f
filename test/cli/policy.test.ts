import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { drawBootstrapCode } from '../../cli/bootstrap-code.js';
import { prepareEmbedded } from '../../cli/prepare.js';
import { newKeyFile } from '../../client/keys.js';
import { builtInPolicy } from '../../domain/policy/built-in.js';
import { databaseNow } from '../../store/clock.js';
import { connect, type Database } from '../../store/connect.js';
import { insertPolicy } from '../../store/policies.js';
import { freshDatabase, type FreshDatabase } from '../helpers/database.js';
import { callCli, type Outcome } from './run-in-process.js';

const PASSPHRASE = 'tide and barnacle 7';
let folder: string;
let database: FreshDatabase;
let db: Database;

const call = (args: readonly string[], typed?: readonly string[]): Promise<Outcome> =>
  callCli(args, {
    cwd: folder,
    variables: {
      HOME: folder,
      COUNTERSIGN_DATA: path.join(folder, 'data'),
      COUNTERSIGN_DATABASE_URL: database.applicationUrl,
    },
    ...(typed === undefined ? {} : { typed }),
  });
const put = (name: string, text: string): void => {
  writeFileSync(path.join(folder, name), text);
};
const json = async (args: readonly string[]): Promise<Record<string, unknown>> =>
  JSON.parse((await call([...args, '--json'])).out) as Record<string, unknown>;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-policy-'));
  mkdirSync(path.join(folder, 'data/secrets'), { recursive: true, mode: 0o700 });
  database = await freshDatabase();
  await prepareEmbedded(
    { ownerUrl: database.url, url: database.applicationUrl },
    path.join(folder, 'data'),
  );
  db = connect(database.url);
  for (const name of ['ada', 'bob'])
    await newKeyFile(path.join(folder, `${name}.json`), PASSPHRASE);
  const code = drawBootstrapCode(path.join(folder, 'data'), (await databaseNow(db)).getTime());
  const first = await call(
    ['keys', 'enrol', 'ada.json', '--name', 'Ada', '--code', code],
    [PASSPHRASE],
  );
  expect(first.exitCode).toBe(0);
  await call(
    ['keys', 'enrol', 'bob.json', '--name', 'Bob', '--by', 'ada.json', '--group', 'guests'],
    [PASSPHRASE, PASSPHRASE],
  );
  put('next.yaml', stringify(builtInPolicy({ solo: true, override: { name: 'next' } })));
});

afterAll(async () => {
  await db.destroy();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

const activate = (key: string[], typed?: readonly string[], file = 'next.yaml'): Promise<Outcome> =>
  call(
    ['policy', 'activate', file, '--reason', 'a try', ...key.flatMap((one) => ['--key', one])],
    typed,
  );

test('unsigned, without a terminal, by a file that is wrong: refused, exit 2', async () => {
  expect(await activate([])).toMatchObject({
    exitCode: 2,
    err: expect.stringContaining('--key names no key file'),
  });
  expect(await activate(['ada.json'])).toMatchObject({ exitCode: 2 });
  put('bad.yaml', 'format: 1\nnaem: x\n');
  expect(await activate(['ada.json'], [PASSPHRASE], 'bad.yaml')).toMatchObject({
    exitCode: 2,
    err: expect.stringMatching(/bad\.yaml:2:1: .*unknown key "naem".*Did you mean name/),
  });
  expect(await json(['policy', 'show'])).toMatchObject({ version: 1, name: 'built-in' });
});

test('signed by a person who may not: refused, exit 1, and it says who may', async () => {
  const refused = await activate(['bob.json'], [PASSPHRASE]);
  expect(refused).toMatchObject({ exitCode: 1 });
  expect(refused.out).toContain('not-in-group');
  expect(refused.out).toContain('1 of approvers');
  expect(await json(['policy', 'show'])).toMatchObject({ version: 1 });
});

test('the file proposes, status says that it differs, and nothing changes until it is activated', async () => {
  put(
    'countersign.policy.yaml',
    stringify(builtInPolicy({ solo: true, override: { name: 'mine' } })),
  );
  const { out } = await call(['status']);
  expect(out.replace(/\s+/g, ' ')).toContain('changes nothing until it is activated');
  const done = await activate(['ada.json'], [PASSPHRASE], 'countersign.policy.yaml');
  expect(done).toMatchObject({ exitCode: 0 });
  expect(await json(['policy', 'show'])).toMatchObject({
    version: 2,
    name: 'mine',
    file: { state: 'in-force' },
  });
  expect((await call(['policy', 'activate', 'next.yaml', '--reason', 'x'])).exitCode).toBe(2);
});

test('the history names who and why, and what was in force at a moment can be looked up', async () => {
  const { versions } = await json(['policy', 'history']);
  expect(versions).toMatchObject([
    { version: 2, activatedBy: 'p_ada', reason: 'a try', statements: [{ by: 'p_ada' }] },
    { version: 1, activatedBy: 'built-in', statements: [] },
  ]);
  expect(await json(['policy', 'at', '2099-01-01'])).toMatchObject({ version: 2 });
  expect((await call(['policy', 'at', '2001-01-01'])).exitCode).toBe(1);
  expect((await call(['policy', 'at', 'yesterday'])).exitCode).toBe(2);
});

test('a start of the stack leaves alone what a person has activated', async () => {
  await prepareEmbedded(
    { ownerUrl: database.url, url: database.applicationUrl },
    path.join(folder, 'data'),
  );
  expect(await json(['policy', 'show'])).toMatchObject({ version: 2, name: 'mine' });
});

test('with an invalid policy in force everything is denied, and status says so', async () => {
  await db
    .transaction()
    .execute((tx) =>
      insertPolicy(
        tx,
        { digest: `sha256:${'0'.repeat(64)}`, document: '{}', activatedBy: 'somebody' },
        3,
      ),
    );
  const { out } = await call(['status']);
  expect(out.replace(/\s+/g, ' ')).toContain('everything is denied');
  expect(await call(['policy', 'show'])).toMatchObject({ exitCode: 1 });
  const mended = await activate(['ada.json'], [PASSPHRASE]);
  expect(mended).toMatchObject({ exitCode: 0 });
  expect(await json(['policy', 'show'])).toMatchObject({ version: 4, name: 'next' });
});
