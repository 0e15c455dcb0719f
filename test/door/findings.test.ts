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
    object: name === 'orphan/told' ? 'cus_1' : name,
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

const closeAll = (name: string): Promise<unknown> =>
  sql`update cases set closed_at = countersign_now(), closed_by = 'p_ada', closed_as = 'by-person',
             close_statement = '{}', close_digest = gen_random_uuid()::text
       where finding = ${name} and closed_at is null`.execute(scratch.db);

test('a finding whose case a person has closed opens no other while it stands', async () => {
  await seen('orphan/p');
  await closeAll('orphan/p');
  expect(await seen('orphan/p')).toBe(false);
  expect(await casesOf('orphan/p')).toHaveLength(1);
});

test('without its guard the same finding opens a case at every pass', async () => {
  await without(scratch.db, ['finding-once'], async () => {
    await seen('orphan/b');
    await closeAll('orphan/b');
    await seen('orphan/b');
  });
  expect(await casesOf('orphan/b')).toHaveLength(2);
});

test('what the sweep has told already takes its case, and closes it when it is gone', async () => {
  await sql`select open_case(null, null, 'orphan', 'stripe holds cus_1, told by the sweep')`.execute(
    scratch.db,
  );
  expect(await seen('orphan/told', 'told')).toBe(false);
  expect(await casesOf('orphan/told')).toEqual([]);
  await gone([], 'told');
  const [told] = await scratch.db
    .selectFrom('cases')
    .select('closed_as')
    .where('text', 'like', '%told by the sweep')
    .execute();
  expect(told).toEqual({ closed_as: 'seen-resolved' });
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
