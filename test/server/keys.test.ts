import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { linkAccountTo } from '../../store/accounts.js';
import { approvalOf, enrolOf } from '../gateway/ceremony.js';
import { signer } from '../gateway/people.js';
import type { Signer } from '../gateway/people.js';
import { plantPerson } from '../helpers/register.js';
import { openGround } from './ground.js';
import type { Ground } from './ground.js';

/** The routes of keys: whose sign-in brings which word, and who sees what waits. */
let ground: Ground;
const tokens: Record<string, string> = {};
beforeAll(async () => {
  ground = await openGround();
  const { db } = ground.house;
  await plantPerson(db, 'p_carol', []);
  await db.transaction().execute((tx) =>
    linkAccountTo(tx, {
      ...{ iss: ground.issuer.url, sub: 'carol', linkedBy: 'test' },
      holder: { person: 'p_carol' },
    }),
  );
  for (const name of ['ada', 'bob', 'carol', 'owner'])
    tokens[name] = await ground.personToken(name);
});
afterAll(() => ground.close());

const post = async (name: string, path: string, body: object) => {
  const { json, status } = await ground.ask('POST', path, { token: tokens[name]!, body });
  return { status, ...json };
};
const bring = async (name: string, of: Signer) =>
  post(name, '/api/v1/keys', await enrolOf(ground.house, of));
const admit = async (name: string, by: Signer, of: { named: string; asked?: string }) =>
  post(
    name,
    `/api/v1/keys/${of.asked ?? of.named}/approvals`,
    await approvalOf(ground.house, of.named, by, 'unsaid'),
  );
const seenBy = async (name: string): Promise<unknown> => {
  const { json } = await ground.ask('GET', '/api/v1/keys', { token: tokens[name]! });
  return (json['waiting'] as { person: string }[]).map(({ person }) => person).sort();
};

test('a key is brought by its own person, and admitted by the words of who is signed in', async () => {
  const { bob, owner } = ground.house;
  const key = signer('p_ada');
  expect(await bring('bob', key)).toMatchObject({ status: 403, code: 'person-foreign' });
  expect(await seenBy('bob')).toEqual([]);
  const brought = await bring('ada', key);
  expect(brought).toMatchObject({ status: 201, missing: 2 });
  const { enrolment: named } = brought as unknown as { enrolment: string };
  expect(await admit('owner', bob, { named })).toMatchObject({
    ...{ status: 403, code: 'approver-foreign' },
  });
  // What the address says is what is admitted, and nothing else.
  const other = (await bring('carol', signer('p_carol'))) as unknown as { enrolment: string };
  expect(await admit('bob', bob, { named, asked: other.enrolment })).toMatchObject({
    ...{ status: 400, code: 'enrolment-mismatch' },
  });
  expect(await admit('bob', bob, { named })).toMatchObject({ status: 200, missing: 1 });
  expect(await admit('owner', owner, { named })).toMatchObject({ status: 200, missing: 0 });
});

test('a key that waits is seen by its person and by who may admit it', async () => {
  expect((await bring('ada', signer('p_ada'))).status).toBe(201);
  expect(await seenBy('carol')).toEqual(['p_carol']);
  expect(await seenBy('bob')).toEqual(['p_ada', 'p_carol']);
});
