import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { openScratch, type Scratch } from './seed.js';
import { without } from './without.js';

let scratch: Scratch;
beforeAll(async () => {
  scratch = await openScratch();
});
afterAll(async () => {
  await scratch.close();
});

const seen = async (name: string, area = 'stripe'): Promise<boolean> => {
  const finding = {
    name,
    kind: 'orphan',
    area,
    object: 'cus_1',
    runId: null,
    effectId: null,
    text: `${name} is nobody's`,
    proposal: 'ask who made it',
  };
  const { rows } = await sql<{ opened: boolean }>`
    select finding_seen(${JSON.stringify(finding)}::jsonb) as opened`.execute(scratch.db);
  return rows[0]?.opened ?? false;
};
const gone = (names: readonly string[], area = 'stripe'): Promise<unknown> =>
  sql`select findings_gone(${area}, ${names}::text[])`.execute(scratch.db);
const casesOf = (name: string) =>
  scratch.db
    .selectFrom('cases')
    .select(['case_id', 'closed_as'])
    .where('finding', '=', name)
    .orderBy('case_id')
    .execute();

test('a finding opens one case, however often and by how many at once it is seen', async () => {
  const opened = await Promise.all([1, 2, 3, 4].map(() => seen('orphan/a')));
  expect(opened.filter(Boolean)).toHaveLength(1);
  expect(await seen('orphan/a')).toBe(false);
  expect(await casesOf('orphan/a')).toHaveLength(1);
});

test('without its guard the same finding opens a case at every pass', async () => {
  await without(scratch.db, ['finding-once'], async () => {
    await seen('orphan/b');
    await seen('orphan/b');
  });
  expect(await casesOf('orphan/b')).toHaveLength(2);
});

test('a finding that is seen no more closes its case, and one that comes back opens another', async () => {
  await seen('orphan/c');
  await seen('orphan/d', 'cloudflare/x');
  await gone([]);
  expect(await casesOf('orphan/c')).toMatchObject([{ closed_as: 'seen-resolved' }]);
  // Another area was not read: nothing is known of it.
  expect(await casesOf('orphan/d')).toMatchObject([{ closed_as: null }]);
  expect(await seen('orphan/c')).toBe(true);
  expect(await casesOf('orphan/c')).toMatchObject([
    { closed_as: 'seen-resolved' },
    { closed_as: null },
  ]);
  await gone(['orphan/c']);
  expect(await casesOf('orphan/c')).toHaveLength(2);
  expect((await casesOf('orphan/c'))[1]).toMatchObject({ closed_as: null });
});
