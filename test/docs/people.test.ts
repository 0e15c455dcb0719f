import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { drawBootstrapCode } from '../../cli/bootstrap-code.js';
import { prepareEmbedded } from '../../cli/prepare.js';
import { newKeyFile } from '../../client/keys.js';
import { databaseNow } from '../../store/clock.js';
import { connect, type Database } from '../../store/connect.js';
import { callCli, type Outcome } from '../cli/run-in-process.js';
import { ROOT } from '../helpers/build.js';
import { freshDatabase, type FreshDatabase } from '../helpers/database.js';

const page = readFileSync(path.join(ROOT, 'docs/people.md'), 'utf8');
const commands = [...page.matchAll(/```\n([\s\S]*?)```/g)].flatMap(([, body = '']) =>
  body
    .trim()
    .split('\n')
    .map((line) => line.replace(/\s+#.*$/, '')),
);

const PASSPHRASE = 'tide and barnacle 7';
let folder: string;
let database: FreshDatabase;
let db: Database;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-docs-people-'));
  mkdirSync(path.join(folder, 'data/secrets'), { recursive: true, mode: 0o700 });
  database = await freshDatabase();
  const urls = { ownerUrl: database.url, url: database.applicationUrl };
  await prepareEmbedded(urls, path.join(folder, 'data'));
  db = connect(database.url, { max: 1 });
  await newKeyFile(path.join(folder, 'ada.json'), PASSPHRASE);
  const code = drawBootstrapCode(path.join(folder, 'data'), (await databaseNow(db)).getTime());
  for (const line of [
    `countersign keys enrol ada.json --name Ada --code ${code}`,
    'countersign people add p_bob --name Bob --key ada.json',
    'countersign principals add owner@example.com',
    'countersign agents add outer-agent --owner p_bob',
    'countersign agents add old-agent --owner p_bob',
  ])
    expect(await run(line)).toMatchObject({ exitCode: 0 });
}, 120_000);
afterAll(async () => {
  await db.destroy();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

/** As a shell would take the line: words, and what stands in double quotes. */
function run(line: string): Promise<Outcome> {
  const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(
    ([, quoted, word]) => quoted ?? word ?? '',
  );
  expect(words[0]).toBe('countersign');
  return callCli(words.slice(1), {
    cwd: folder,
    variables: {
      HOME: folder,
      COUNTERSIGN_DATA: path.join(folder, 'data'),
      COUNTERSIGN_DATABASE_URL: database.applicationUrl,
    },
    typed: [PASSPHRASE],
  });
}

/** The page cannot know ids that are drawn: those of the last delegation and service key stand for them. */
async function withIds(line: string): Promise<string> {
  const given = await db.selectFrom('delegations').select('delegation_id').executeTakeFirst();
  const key = await db
    .selectFrom('service_keys')
    .select('key_id')
    .where('service_id', '=', 's_backend')
    .executeTakeFirst();
  return line
    .replace('d_00c0ffee00c0ffee', given?.delegation_id ?? 'none')
    .replace('KEYID', key?.key_id ?? 'none');
}

test('the page has the commands of each part', () => {
  expect(commands.length).toBeGreaterThan(20);
});

test.each(commands)('%s', async (line) => {
  expect(await run(await withIds(line))).toMatchObject({ exitCode: 0, err: '' });
});
