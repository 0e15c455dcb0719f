import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { parsePolicy } from '../../domain/policy/schema.js';
import { ROOT } from '../helpers/build.js';
import { openPageGround, type PageGround } from './page-ground.js';

const page = readFileSync(path.join(ROOT, 'docs/policy.md'), 'utf8');
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    ([, body]) => body ?? '',
  );
const fileName = (block: string): string | undefined => /^# (\S+\.yaml)\n/.exec(block)?.[1];
const files = blocks('yaml').filter((block) => fileName(block) !== undefined);
const fragments = blocks('yaml').filter((block) => fileName(block) === undefined);
const commands = blocks('sh').flatMap((block) => block.trim().split('\n'));

let ground: PageGround;
const run = (line: string) => ground.run(line);

beforeAll(async () => {
  ground = await openPageGround();
  for (const block of files) writeFileSync(path.join(ground.folder, fileName(block) ?? ''), block);
}, 120_000);
afterAll(() => ground.close());

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

test('every member that the schema knows is named on the page, in its examples or as code', () => {
  const code = [...page.matchAll(/```[\s\S]*?```|`[^`\n]+`/g)].map(([text]) => text).join('\n');
  const schema: unknown = JSON.parse(
    readFileSync(path.join(ROOT, 'docs/reference/policy.schema.json'), 'utf8'),
  );
  const members = [...membersOf(schema)];
  expect(members.length).toBeGreaterThan(80);
  expect(members.filter((name) => !new RegExp(`\\b${name}\\b`).test(code))).toEqual([]);
});

/** The names of all members, however deep. */
function membersOf(schema: unknown): Set<string> {
  if (typeof schema !== 'object' || schema === null) return new Set();
  const own =
    'properties' in schema && typeof schema.properties === 'object' && schema.properties !== null
      ? Object.keys(schema.properties)
      : [];
  return new Set([...own, ...Object.values(schema).flatMap((part) => [...membersOf(part)])]);
}

describe('every fragment fits into the policy of the page', () => {
  test.each(fragments)('%s', (fragment) => {
    const whole = parse(files[0] ?? '') as Record<string, unknown>;
    const part = parse(fragment) as Record<string, unknown>;
    expect(Object.keys(parsePolicy({ ...whole, ...part }))).toEqual(
      expect.arrayContaining(Object.keys(part)),
    );
  });
});
