import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { canonicalize } from '../../domain/canonical.js';
import { revokeSigned } from '../../gateway/revoke-key.js';
import { Authenticator } from '../helpers/authenticator.js';
import { plantPasskey, plantPerson, plantSeed } from '../helpers/register.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { signedBy } from './ceremony.js';
import { admitted, approved, decisionOf, openHouse, refusals, type House } from './house.js';
import { type Signer, signer } from './people.js';

let house: House;
beforeAll(async () => {
  house = await openHouse(trialPolicy());
}, 120_000);
afterAll(() => house.close());

const end = async (by: Signer, revokes: string, members: object = {}) => {
  const message = await signedBy(house, by, 'countersign.revoke.v1', {
    revokes,
    as: 'retired',
    ...members,
  });
  return { message, answer: await revokeSigned(house.parts, message) };
};
async function another(groups: readonly string[]): Promise<Signer> {
  const by = signer(`p_${Math.random().toString(36).slice(2, 10)}`);
  await plantPerson(house.db, by.person, groups);
  await plantSeed(house.db, by);
  return by;
}

test('an administrator ends another person’s key by a signed word, which stays on record as it was signed', async () => {
  const lost = await another([]);
  const { answer, message } = await end(house.ada, lost.keyId);
  expect(answer).toEqual({ revoked: true, what: { voided: [], reviews: 0 } });
  const row = await house.db
    .selectFrom('key_revocations')
    .selectAll()
    .where('key_id', '=', lost.keyId)
    .executeTakeFirstOrThrow();
  expect(row).toMatchObject({
    by: 'p_ada',
    revoked_as: 'retired',
    message: canonicalize(message),
  });
  expect((await end(house.bob, lost.keyId)).answer).toMatchObject({ reason: 'revoked-already' });
  expect((await end(lost, house.ada.keyId)).answer).toMatchObject({ reason: 'key-revoked' });
});

test('a person ends their own key, with that very key; nobody else’s without administering keys', async () => {
  const [one, two] = [await another([]), await another([])];
  expect((await end(one, two.keyId)).answer).toEqual({ revoked: false, reason: 'not-in-group' });
  expect((await end(two, two.keyId)).answer).toMatchObject({ revoked: true });
  expect(await refusals(house)).toContain('revoke-key: not-in-group');
});

test('a forged or borrowed word ends nothing', async () => {
  const key = await another(['approvers']);
  const { message } = await end(house.ada, 'A'.repeat(43));
  const bent = { ...message, revokes: key.keyId };
  expect(await revokeSigned(house.parts, bent)).toMatchObject({ reason: 'signature-bad' });
  const unsigned = Object.fromEntries(
    Object.entries(bent).filter(([name]) => name !== 'signature'),
  );
  expect(await revokeSigned(house.parts, unsigned)).toMatchObject({ reason: 'unsigned' });
  const runId = await admitted(house, 'borrowed');
  const gate = await house.gateway.openGate(runId, 'plan');
  const decision = gate.gateId === undefined ? undefined : await decisionOf(house, gate, house.ada);
  expect(await revokeSigned(house.parts, decision)).toMatchObject({ reason: 'type-mismatch' });
  const row = house.db.selectFrom('keys').select('revoked_at').where('key_id', '=', key.keyId);
  expect(await row.executeTakeFirst()).toEqual({ revoked_at: null });
});

test('a passkey signs it too, and its counter is spent', async () => {
  const passkey = new Authenticator();
  await plantPasskey(house.db, passkey, { person: 'p_ada' });
  const relyingParty = { rpId: 'localhost', origins: ['http://localhost:4000'] };
  const parts = { ...house.parts, trust: { rootKeys: [], relyingParty } };
  const lost = await another([]);
  const { message } = await end({ ...house.ada, keyId: passkey.keyId }, lost.keyId);
  const statement = Object.fromEntries(
    Object.entries(message).filter(([name]) => name !== 'signature'),
  );
  const asserted = { ...statement, signature: passkey.sign(statement, { counter: 7 }) };
  expect(await revokeSigned(parts, asserted)).toMatchObject({ revoked: true });
  expect(await revokeSigned(parts, asserted)).toMatchObject({ reason: 'webauthn-counter' });
});

test('compromised, it takes its unused decisions with it', async () => {
  const runId = await admitted(house, 'taken');
  const gate = await approved(house, runId, 'plan');
  const since = '2020-01-01T00:00:00.000Z';
  const { answer } = await end(house.bob, house.ada.keyId, { as: 'compromised', since });
  expect(answer).toMatchObject({ revoked: true, what: { voided: [gate.gateId] } });
});

test('a key that was retired is called compromised when it turns out to be lost, and not the other way round', async () => {
  const by = await another(['approvers']);
  const runId = await admitted(house, 'retired-first');
  const gate = await approved(house, runId, 'plan', by);
  expect((await end(by, by.keyId)).answer).toMatchObject({ revoked: true, what: { voided: [] } });
  expect((await end(house.bob, by.keyId)).answer).toMatchObject({ reason: 'revoked-already' });
  const lost = { as: 'compromised', since: '2020-01-01T00:00:00.000Z' };
  expect((await end(house.bob, by.keyId, lost)).answer).toMatchObject({
    revoked: true,
    what: { voided: [gate.gateId] },
  });
  for (const members of [lost, {}])
    expect((await end(house.bob, by.keyId, members)).answer).toMatchObject({
      reason: 'revoked-already',
    });
  const words = await house.db
    .selectFrom('key_revocations')
    .select('revoked_as')
    .where('key_id', '=', by.keyId)
    .orderBy('recorded_at')
    .execute();
  expect(words.map(({ revoked_as: as }) => as)).toEqual(['retired', 'compromised']);
});
