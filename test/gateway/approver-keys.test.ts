import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { OpenGate } from '../../domain/plan.js';
import type { RunId } from '../../domain/ids.js';
import { keyIdOf } from '../../domain/signature.js';
import { createGateway } from '../../gateway/create-gateway.js';
import { approveEnrolment, requestEnrolment } from '../../gateway/enrol-key.js';
import type { Parts } from '../../gateway/parts.js';
import { databaseNow } from '../../store/clock.js';
import { revokeKey } from '../../store/revocation.js';
import { Authenticator, type Ceremony } from '../helpers/authenticator.js';
import { plantPasskey, plantPerson, plantSeed } from '../helpers/register.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { admittedKey, approvalOf, asked, enrolOf, rooted } from './ceremony.js';
import { admitted, approved, decisionOf, opened, openHouse, sender, type House } from './house.js';
import { type Signer, signer } from './people.js';

let house: House;
let parts: Parts;
const passkey = new Authenticator();
const relyingParty = { rpId: 'localhost', origins: ['http://localhost:4000'] };

beforeEach(async () => {
  const keys = { delay: '1h', deviceBound: 'nowhere' } as const;
  house = await openHouse(trialPolicy({ override: { keys } }));
  parts = { ...house.parts, trust: { rootKeys: [], relyingParty } };
  await plantPasskey(house.db, passkey, { person: 'p_ada' });
}, 120_000);
afterEach(() => house.close());

const b64u = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
const record = (runId: RunId, message: unknown) =>
  createGateway(parts).recordDecision(runId, message, 'http');
const at = async (): Promise<string> => (await databaseNow(house.db)).toISOString();

async function byPasskey(gate: OpenGate, ceremony: Ceremony): Promise<object> {
  const statement = {
    type: 'countersign.decision.v1',
    instance: house.instance,
    gateId: gate.gateId,
    actionDigest: gate.digest,
    decision: 'approve',
    approver: 'p_ada',
    keyId: passkey.keyId,
    surface: 'inbox',
    decidedAt: await at(),
  };
  return { ...statement, signature: passkey.sign(statement, ceremony) };
}

test('a passkey approves; its counter is looked at once, and a step back is refused and told', async () => {
  const runId = await admitted(house, 'passkey');
  const gate = await opened(house, runId, 'plan');
  const message = await byPasskey(gate, { counter: 7 });
  const granted = { accepted: true, gateState: 'granted' };
  expect(await record(runId, message)).toMatchObject(granted);
  expect(await record(runId, message)).toMatchObject(granted);
  const [row] = await house.db
    .selectFrom('decisions')
    .selectAll()
    .where('run_id', '=', runId)
    .execute();
  expect(row).toMatchObject({ counter: 7, backup_eligible: false, backed_up: false });
  expect(row?.evidence).toEqual([{ group: 'approvers', source: 'register', ageMs: 0 }]);
  // At the effect the very same bytes are verified again, and the counter is left alone.
  const performed = await createGateway(parts).perform(runId, 'create-customer', sender());
  expect(performed.step).toBe('create-customer');
  const other = await admitted(house, 'passkey-again');
  const next = await opened(house, other, 'plan');
  const equal = await record(other, await byPasskey(next, { counter: 7 }));
  expect(equal).toMatchObject({ accepted: false, reason: 'webauthn-counter' });
  const told = await house.db
    .selectFrom('notices')
    .select('kind')
    .where('run_id', '=', other)
    .where('kind', '=', 'webauthn-counter')
    .execute();
  expect(told).toHaveLength(1);
  expect(await record(other, await byPasskey(next, { counter: 8 }))).toMatchObject(granted);
});

test('an approve is withdrawn until an effect has used it; what was signed before counts no more', async () => {
  const runId = await admitted(house, 'withdrawn');
  const gate = await opened(house, runId, 'plan');
  const late = await decisionOf(house, gate, house.bob);
  await record(runId, await decisionOf(house, gate, house.bob, { surface: 'inbox' }));
  const withdraw = await decisionOf(house, gate, house.bob, { decision: 'withdraw' });
  expect(await record(runId, withdraw)).toMatchObject({ accepted: true, gateState: 'void' });
  const again = await opened(house, runId, 'plan');
  expect(again.gateId).not.toBe(gate.gateId);
  expect(await record(runId, late)).toMatchObject({ accepted: false, reason: 'gate-closed' });
  const nothing = await decisionOf(house, again, house.bob, { decision: 'withdraw' });
  expect(await record(runId, nothing)).toMatchObject({ reason: 'nothing-to-withdraw' });
  await record(runId, await decisionOf(house, again, house.bob));
  await house.gateway.perform(runId, 'create-customer', sender());
  await house.gateway.perform(runId, 'link-account', sender());
  const after = await decisionOf(house, again, house.bob, { decision: 'withdraw', reason: 'late' });
  expect(await record(runId, after)).toMatchObject({ accepted: false, reason: 'already-used' });
});

test('a compromised key takes its unused decisions with it and opens a review of used ones; a retired one does not', async () => {
  const used = await admitted(house, 'used');
  const unused = await admitted(house, 'unused');
  const retired = await admitted(house, 'retired');
  await approved(house, used, 'plan');
  await house.gateway.perform(used, 'create-customer', sender());
  await house.gateway.perform(used, 'link-account', sender());
  const gate = await approved(house, unused, 'plan');
  const kept = await opened(house, retired, 'plan');
  await record(retired, await decisionOf(house, kept, house.bob));
  const revoke = (keyId: string, as: 'retired' | 'compromised') =>
    house.db.transaction().execute((tx) => revokeKey(tx, { keyId, as, reason: 'test' }));
  await revoke(house.bob.keyId, 'retired');
  expect(await house.gateway.gateStatus(retired, kept.gateId)).toMatchObject({ state: 'granted' });
  await house.gateway.perform(retired, 'create-customer', sender());
  await house.gateway.perform(retired, 'link-account', sender());
  const answer = await revoke(house.ada.keyId, 'compromised');
  expect(answer?.voided).toContain(gate.gateId);
  expect(answer?.reviews).toBeGreaterThan(0);
  expect(await house.gateway.gateStatus(unused, gate.gateId)).toMatchObject({ state: 'void' });
  const cases = await house.db
    .selectFrom('cases')
    .select('kind')
    .where('run_id', '=', used)
    .execute();
  expect(cases.map(({ kind }) => kind)).toContain('key-compromised');
}, 60_000);

test('two administrators other than its person admit a key, and it counts after the delay', async () => {
  const [one, two, carol] = [signer('p_one'), signer('p_two'), signer('p_carol')];
  for (const by of [one, two]) {
    await plantPerson(house.db, by.person);
    await plantSeed(house.db, by);
  }
  const enrolment = await asked(house, parts, carol);
  const approve = async (by: Signer) =>
    approveEnrolment(parts, await approvalOf(house, enrolment, by));
  expect(await approve(one)).toMatchObject({ accepted: true, missing: 1 });
  expect(await approve(one)).toMatchObject({ accepted: true, missing: 1 });
  const second = signer('p_one');
  const own = await asked(house, parts, second);
  const mine = await approveEnrolment(parts, await approvalOf(house, own, one));
  expect(mine).toMatchObject({ accepted: false, reason: 'own-key' });
  expect(await approve(two)).toMatchObject({ accepted: true, missing: 0 });
  const runId = await admitted(house, 'by-carol');
  const gate = await opened(house, runId, 'plan');
  const early = await record(runId, await decisionOf(house, gate, carol));
  expect(early).toMatchObject({ accepted: false, reason: 'key-not-yet-active' });
  await house.advance(3_600_001);
  const late = await record(runId, await decisionOf(house, gate, carol));
  expect(late).toMatchObject({ accepted: true, gateState: 'granted' });
  const again = await requestEnrolment(parts, {
    message: await enrolOf(house, carol),
    name: 'Carol',
    groups: [],
  });
  expect(again).toEqual({ accepted: false, reason: 'key-known' });
  const identity = Buffer.concat([Buffer.from([1]), Buffer.alloc(31)]);
  const hollow = await enrolOf(house, signer('p_hollow'), {
    keyId: keyIdOf(identity),
    publicKey: b64u(identity),
  });
  const refused = await requestEnrolment(parts, { message: hollow, name: 'H', groups: [] });
  expect(refused).toEqual({ accepted: false, reason: 'key-unsound' });
}, 60_000);

test('where roots are pinned, a key without a chain of signatures to them is no key', async () => {
  const keys = { delay: '1h', deviceBound: 'nowhere' } as const;
  const { parts: pinned, roots } = await rooted(house, trialPolicy({ override: { keys } }));
  const gateway = createGateway(pinned);
  const dora = signer('p_dora');
  await admittedKey(house, pinned, dora, roots);
  await house.advance(3_600_001);
  const runId = await admitted({ ...house, gateway }, 'pinned');
  const gate = await opened({ ...house, gateway }, runId, 'plan');
  const decide = async (by: Signer) =>
    gateway.recordDecision(runId, await decisionOf(house, gate, by), 'http');
  // The owner of no chain: a row that somebody wrote straight into the register.
  const planted = signer('p_planted');
  await plantPerson(house.db, planted.person);
  await plantSeed(house.db, planted);
  expect(await decide(planted)).toMatchObject({ accepted: false, reason: 'key-unknown' });
  expect(await decide(dora)).toMatchObject({ accepted: true, gateState: 'granted' });
}, 60_000);
