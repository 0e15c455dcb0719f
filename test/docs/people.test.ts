import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ROOT } from '../helpers/build.js';
import { openPageGround, type PageGround } from './page-ground.js';

const page = readFileSync(path.join(ROOT, 'docs/people.md'), 'utf8');
const commands = [...page.matchAll(/```\n([\s\S]*?)```/g)].flatMap(([, body = '']) =>
  body
    .trim()
    .split('\n')
    .map((line) => line.replace(/\s+#.*$/, '')),
);

let ground: PageGround;

beforeAll(async () => {
  ground = await openPageGround();
  for (const line of [
    'countersign people add p_bob --name Bob --key ada.json',
    'countersign principals add owner@example.com',
    'countersign agents add outer-agent --owner p_bob',
    'countersign agents add old-agent --owner p_bob',
  ])
    expect(await ground.run(line)).toMatchObject({ exitCode: 0 });
}, 120_000);
afterAll(() => ground.close());

/** The page cannot know ids that are drawn: those of the last delegation and service key stand for them. */
async function withIds(line: string): Promise<string> {
  const { db } = ground;
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
  expect(await ground.run(await withIds(line))).toMatchObject({ exitCode: 0, err: '' });
});
