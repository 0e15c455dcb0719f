import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { drawBootstrapCode } from '../../cli/bootstrap-code.js';
import { prepareEmbedded } from '../../cli/prepare.js';
import { newKeyFile } from '../../client/keys.js';
import { parsePolicy } from '../../domain/policy/schema.js';
import { databaseNow } from '../../store/clock.js';
import { connect } from '../../store/connect.js';
import { callCli, type Outcome } from '../cli/run-in-process.js';
import { ROOT } from '../helpers/build.js';
import { freshDatabase, type FreshDatabase } from '../helpers/database.js';

const page = readFileSync(path.join(ROOT, 'docs/policy.md'), 'utf8');
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    ([, body]) => body ?? '',
  );
const fileName = (block: string): string | undefined => /^# (\S+\.yaml)\n/.exec(block)?.[1];
const files = blocks('yaml').filter((block) => fileName(block) !== undefined);
const fragments = blocks('yaml').filter((block) => fileName(block) === undefined);
const commands = blocks('sh').flatMap((block) => block.trim().split('\n'));

const PASSPHRASE = 'tide and barnacle 7';
let folder: string;
let database: FreshDatabase;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-docs-policy-'));
  mkdirSync(path.join(folder, 'data/secrets'), { recursive: true, mode: 0o700 });
  database = await freshDatabase();
  await prepareEmbedded(
    { ownerUrl: database.url, url: database.applicationUrl },
    path.join(folder, 'data'),
  );
  for (const block of files) writeFileSync(path.join(folder, fileName(block) ?? ''), block);
  await newKeyFile(path.join(folder, 'ada.json'), PASSPHRASE);
  const db = connect(database.url, { max: 1 });
  const code = drawBootstrapCode(path.join(folder, 'data'), (await databaseNow(db)).getTime());
  await db.destroy();
  await run(`countersign keys enrol ada.json --name Ada --code ${code}`);
});
afterAll(async () => {
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

test('the page has two files, fragments and commands', () => {
  expect(files.map(fileName)).toEqual(['countersign.policy.yaml', 'countersign.policy.tests.yaml']);
  expect(fragments.length).toBeGreaterThan(4);
  expect(commands.length).toBeGreaterThan(6);
});

describe('every command of the page works, in the order of the page', () => {
  test.each(commands)('%s', async (line) => {
    expect(await run(line)).toMatchObject({ exitCode: 0, err: '' });
  });

  test('the table came out as it says, and the policy is in force', async () => {
    const checked = await run('countersign policy check countersign.policy.yaml --json');
    expect(JSON.parse(checked.out)).toMatchObject({
      findings: [],
      tests: { passed: 3, failed: [] },
    });
    const { out } = await run('countersign policy show --json');
    expect(JSON.parse(out)).toMatchObject({ version: 2, name: 'our rules' });
  });
});

describe('every fragment fits into the policy of the page', () => {
  test.each(fragments)('%s', (fragment) => {
    const whole = parse(files[0] ?? '') as Record<string, unknown>;
    const part = parse(fragment) as Record<string, unknown>;
    expect(Object.keys(parsePolicy({ ...whole, ...part }))).toEqual(
      expect.arrayContaining(Object.keys(part)),
    );
  });
});
