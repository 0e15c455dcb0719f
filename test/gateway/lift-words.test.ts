import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { canonicalize } from '../../domain/canonical.js';
import type { ResumeMessage } from '../../domain/documents.js';
import type { RunId } from '../../domain/ids.js';
import type { Policy } from '../../domain/policy/schema.js';
import { policyDigestOf } from '../../domain/policy/schema.js';
import { liftStop } from '../../gateway/lift-fence.js';
import { orderDigestOf } from '../../gateway/signed.js';
import { activatePolicy } from '../../store/policies.js';
import { revokeKey } from '../../store/revocation.js';
import { plantPerson, plantSeed } from '../helpers/register.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { signedBy } from './ceremony.js';
import { admitted, approved, openHouse, perform, refusals, type House } from './house.js';
import { type Signer, signer } from './people.js';

/** Where the policy asks several persons to lift a stop, each says so with a word of their own. */

const TWO: Partial<Policy> = { lifting: { allOf: [{ group: 'lifters', count: 2 }] } };
let house: House;
let runId: RunId;
let one: Signer;
let two: Signer;
let three: Signer;
let stranger: Signer;

async function person(name: string, groups: readonly string[]): Promise<Signer> {
  const by = signer(name);
  await plantPerson(house.db, by.person, [...groups]);
  await plantSeed(house.db, by);
  return by;
}

beforeAll(async () => {
  house = await openHouse(trialPolicy({ override: TWO }));
  [one, two, three, stranger] = await Promise.all([
    person('p_one', ['lifters', 'approvers']),
    person('p_two', ['lifters']),
    person('p_three', ['lifters']),
    person('p_stranger', ['approvers']),
  ]);
  runId = await admitted(house, 'stopped');
  await approved(house, runId, 'plan');
}, 120_000);
afterAll(() => house.close());

const fences = async (): Promise<string[]> =>
  (await house.db.selectFrom('fences').select('scope').execute()).map(({ scope }) => scope);
const wordOf = async (by: Signer, members: object = {}): Promise<ResumeMessage> =>
  (await signedBy(house, by, 'countersign.resume.v1', {
    scope: 'all',
    ...members,
  })) as ResumeMessage;
const says = async (by: Signer) => liftStop(house.parts, await wordOf(by));
const waiting = { lifted: false, reason: 'words-missing', missing: '1 more of lifters' };
/** Lifts as the role of our processes can in SQL. */
const byHand = (first: ResumeMessage, ...more: readonly ResumeMessage[]) =>
  house.parts.door.resume({
    scope: 'all',
    by: first.by,
    statementDigest: orderDigestOf(first),
    message: [first, ...more].map((word) => canonicalize(word)).join('\n'),
  });

beforeEach(() =>
  house.parts.door.stop({ scope: 'all', reason: 'x', by: 'p_bob', proven: true, mode: 'hold' }),
);

test('one word is on record and lifts nothing; another person’s lifts the stop', async () => {
  expect(await says(one)).toEqual(waiting);
  expect(await says(one)).toEqual(waiting);
  expect(await fences()).toEqual(['all']);
  expect(await says(two)).toEqual({ lifted: true });
  expect(await fences()).toEqual([]);
  expect(await perform(house, runId, 'create-customer')).toMatchObject({ attempt: 1 });
});

test('a word said towards one stop says nothing of the next one', async () => {
  expect(await says(one)).toEqual(waiting);
  expect(await says(two)).toEqual({ lifted: true });
  await house.parts.door.stop({
    scope: 'all',
    reason: 'y',
    by: 'p_bob',
    proven: true,
    mode: 'hold',
  });
  expect(await says(three)).toEqual(waiting);
  expect(await says(one)).toEqual({ lifted: true });
});

test('neither a stranger to the rule counts, nor somebody who has left since', async () => {
  expect(await says(stranger)).toMatchObject({ reason: 'not-in-group' });
  expect(await says(one)).toEqual(waiting);
  const active = (value: boolean) =>
    house.db
      .updateTable('persons')
      .set({ active: value })
      .where('person_id', '=', one.person)
      .execute();
  await active(false);
  expect(await says(two)).toEqual(waiting);
  await active(true);
  expect(await says(three)).toEqual({ lifted: true });
});

test('a stop that was lifted in SQL by one of two words, or one word twice, is set anew', async () => {
  const tried: [ResumeMessage, ...ResumeMessage[]][] = [
    [await wordOf(one)],
    [await wordOf(one), await wordOf(one, { reason: 'again' })],
    [await wordOf(one), await wordOf(stranger)],
    [await wordOf(one), { ...(await wordOf(two)), reason: 'another' }],
  ];
  for (const words of tried) {
    await house.parts.door.stop({
      scope: 'all',
      reason: 'x',
      by: 'p_bob',
      proven: true,
      mode: 'hold',
    });
    expect(await byHand(...words)).toBe(true);
    await expect(perform(house, runId, 'link-account')).rejects.toMatchObject({ code: 'FENCED' });
    expect(await fences()).toEqual(['all']);
  }
  expect(await refusals(house)).toContain('resume: lift-unsigned');
  expect(await byHand(await wordOf(one), await wordOf(two))).toBe(true);
  expect(await perform(house, runId, 'link-account')).toMatchObject({ attempt: 1 });
});

test('an older policy, which asked for one word, is not looked for again', async () => {
  expect(await says(one)).toEqual(waiting);
  expect(await says(two)).toEqual({ lifted: true });
  const put = async (policy: Policy) =>
    activatePolicy(house.db, {
      digest: policyDigestOf(policy),
      document: canonicalize(policy),
      activatedBy: 'test',
    });
  const lax = await put(trialPolicy());
  await put(trialPolicy({ override: { ...TWO, name: 'strict again' } }));
  await house.parts.door.stop({
    scope: 'all',
    reason: 'z',
    by: 'p_bob',
    proven: true,
    mode: 'hold',
  });
  expect(await byHand(await wordOf(one))).toBe(true);
  await house.db
    .updateTable('stops')
    .set({ lifted_policy: lax })
    .where('scope', '=', 'all')
    .where('reason', '=', 'z')
    .execute();
  await expect(perform(house, runId, 'start-subscription')).rejects.toMatchObject({
    code: 'FENCED',
  });
});

test('a word that lifted one stop, or was said towards one, lifts no later one in SQL, whatever is put beside it', async () => {
  const heard = await wordOf(one);
  expect(await liftStop(house.parts, heard)).toEqual(waiting);
  const lifting = await wordOf(two);
  expect(await liftStop(house.parts, lifting)).toEqual({ lifted: true });
  await house.parts.door.stop({
    scope: 'all',
    reason: 'q',
    by: 'p_bob',
    proven: true,
    mode: 'hold',
  });
  expect(await liftStop(house.parts, lifting)).toMatchObject({ reason: 'used-already' });
  // The first was signed and lifted nothing by itself; the second was never signed: no lift bears the digest of either.
  const tried: [ResumeMessage, ...ResumeMessage[]][] = [
    [heard, lifting],
    [{ ...lifting, reason: 'never signed' }, heard, lifting],
  ];
  for (const words of tried) {
    expect(await byHand(...words)).toBe(true);
    await expect(perform(house, runId, 'start-subscription')).rejects.toMatchObject({
      code: 'FENCED',
    });
    expect(await fences()).toEqual(['all']);
  }
});

test('a stop that is asked for again asks for words said after that', async () => {
  expect(await says(one)).toEqual(waiting);
  await house.parts.door.stop({
    scope: 'all',
    reason: 'r',
    by: 'p_bob',
    proven: true,
    mode: 'hold',
  });
  expect(await says(two)).toEqual(waiting);
  expect(await says(one)).toEqual({ lifted: true });
});

test('the record names everybody who lifted a stop', async () => {
  expect(await says(one)).toEqual(waiting);
  expect(await says(two)).toEqual({ lifted: true });
  const entries = await house.db
    .selectFrom('log')
    .innerJoin('log_payloads', 'log_payloads.idx', 'log.idx')
    .select(['kind', 'payload'])
    .where('kind', 'in', ['resume-said', 'resumed'])
    .orderBy('log.idx', 'desc')
    .limit(3)
    .execute();
  expect(
    entries.map(({ kind, payload }) => [kind, (JSON.parse(payload) as { by?: string }).by]),
  ).toEqual([
    ['resumed', two.person],
    ['resume-said', two.person],
    ['resume-said', one.person],
  ]);
});

test('a word whose key was lost lifts nothing any more', async () => {
  expect(await says(one)).toEqual(waiting);
  await house.db
    .transaction()
    .execute((tx) => revokeKey(tx, { keyId: one.keyId, as: 'compromised', reason: 'lost' }));
  expect(await says(two)).toEqual(waiting);
  expect(await says(three)).toEqual({ lifted: true });
});
