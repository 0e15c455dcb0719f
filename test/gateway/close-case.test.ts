import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { signStatement } from '../../domain/signature.js';
import { closeCase } from '../../gateway/close-case.js';
import { readCase } from '../../store/case-rows.js';
import { databaseNow } from '../../store/clock.js';
import { openHouse, refusals, type House } from './house.js';
import type { Signer } from './people.js';

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(async () => {
  await house.close();
});

async function opened(kind = 'residue', person: string | null = null): Promise<number> {
  await sql`select open_case(null, null, ${kind}, 'something is left', null, null, ${person})`.execute(
    house.db,
  );
  const { rows } = await sql<{ id: number }>`select max(case_id) as id from cases`.execute(
    house.db,
  );
  return Number(rows[0]?.id);
}

async function statementOf(
  caseId: number,
  by: Signer,
  change: Record<string, unknown> = {},
): Promise<Record<string, unknown>> {
  return {
    type: 'countersign.close-case.v1',
    instance: house.instance,
    caseId,
    kind: 'residue',
    by: by.person,
    keyId: by.keyId,
    reason: 'refunded by hand',
    at: (await databaseNow(house.db)).toISOString(),
    ...change,
  };
}

async function close(caseId: number, by: Signer, change: Record<string, unknown> = {}) {
  const statement = await statementOf(caseId, by, change);
  return closeCase(house.parts, { ...statement, signature: signStatement(statement, by.seed) });
}

test('opening a case tells of it in the same transaction, with its severity and no words', async () => {
  const id = await opened('overshoot');
  const notice = await house.db
    .selectFrom('notices')
    .selectAll()
    .where('dedupe', '=', `case-opened:${id}`)
    .executeTakeFirstOrThrow();
  expect(notice).toMatchObject({
    kind: 'case-opened',
    payload: { case: id, kind: 'overshoot', severity: 'urgent' },
  });
  await expect(
    house.db.transaction().execute(async (tx) => {
      await sql`select open_case(null, null, 'residue', 'taken back')`.execute(tx);
      throw new Error('rolled back');
    }),
  ).rejects.toThrow('rolled back');
  const notices = await house.db.selectFrom('notices').select('dedupe').execute();
  const cases = await house.db.selectFrom('cases').select('case_id').execute();
  expect(notices).toHaveLength(cases.length);
});

test('a signed word closes a case once, and the same word again answers the same', async () => {
  const id = await opened();
  const statement = await statementOf(id, house.ada);
  const message = { ...statement, signature: signStatement(statement, house.ada.seed) };
  expect(await closeCase(house.parts, message)).toMatchObject({ closed: true, by: 'p_ada' });
  expect(await closeCase(house.parts, message)).toMatchObject({ closed: true, by: 'p_ada' });
  expect(await close(id, house.bob)).toEqual({ closed: false, reason: 'case-closed' });
  expect(await readCase(house.db, id)).toMatchObject({
    closed_by: 'p_ada',
    closed_as: 'by-person',
    close_reason: 'refunded by hand',
  });
  const logged = await house.db
    .selectFrom('log')
    .select('idx')
    .where('kind', '=', 'case-closed')
    .execute();
  expect(logged).toHaveLength(1);
});

test('two persons at once: one of them closes it', async () => {
  const id = await opened();
  const answers = await Promise.all([close(id, house.ada), close(id, house.bob)]);
  expect(answers.filter(({ closed }) => closed)).toHaveLength(1);
});

test.each([
  ['for another installation', { instance: 'f'.repeat(32) }, 'instance-mismatch'],
  ['of another kind than it showed', { kind: 'double' }, 'case-mismatch'],
  ['of no case', { caseId: 999_999 }, 'case-unknown'],
  ['from before the case', { at: '2020-01-01T00:00:00.000Z' }, 'clock-skew'],
  ['with an unknown member', { also: 1 }, 'malformed'],
])('a word %s does not count', async (_what, change, reason) => {
  const id = await opened();
  expect(await close(id, house.ada, change)).toEqual({ closed: false, reason });
  expect((await readCase(house.db, id))?.closed_at).toBeNull();
  expect((await refusals(house)).at(-1)).toBe(`close-case: ${reason}`);
});

test('a signature by another key, or over other words, does not count', async () => {
  const id = await opened();
  const statement = await statementOf(id, house.ada);
  expect(
    await closeCase(house.parts, {
      ...statement,
      signature: signStatement(statement, house.bob.seed),
    }),
  ).toEqual({ closed: false, reason: 'signature-bad' });
  expect(
    await closeCase(house.parts, {
      ...statement,
      reason: 'something else',
      signature: signStatement(statement, house.ada.seed),
    }),
  ).toEqual({ closed: false, reason: 'signature-bad' });
});

test('whoever used break-glass does not close its review, and somebody else does', async () => {
  const id = await opened('break-glass-review', 'p_ada');
  const kind = { kind: 'break-glass-review' };
  expect(await close(id, house.ada, kind)).toEqual({ closed: false, reason: 'excluded-subject' });
  expect(await close(id, house.bob, kind)).toMatchObject({ closed: true });
  await expect(opened('break-glass-review')).rejects.toThrow(/cases_review_names_its_person/);
});

test('no statement changes what a case says, deletes it, or closes it without a signature', async () => {
  const id = await opened();
  const refused = [
    sql`update cases set text = 'nothing happened' where case_id = ${id}`,
    sql`update cases set finding = 'x' where case_id = ${id}`,
    sql`delete from cases where case_id = ${id}`,
    sql`truncate cases cascade`,
    sql`update cases set closed_at = now(), closed_by = 'x', closed_as = 'by-person' where case_id = ${id}`,
    sql`update cases set closed_at = now(), closed_by = 'x' where case_id = ${id}`,
  ];
  for (const statement of refused)
    await expect(statement.execute(house.db)).rejects.toMatchObject({ code: 'CS010' });
  await close(id, house.ada);
  await expect(
    sql`update cases set closed_at = null where case_id = ${id}`.execute(house.db),
  ).rejects.toMatchObject({ code: 'CS010' });
});
