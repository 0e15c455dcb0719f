import { afterEach, expect, test } from '@jest/globals';
import { canonicalize } from '../../domain/canonical.js';
import { readDecision } from '../../domain/decide.js';
import type { RunId } from '../../domain/ids.js';
import type { OpenGate } from '../../domain/plan.js';
import { createGateway } from '../../gateway/create-gateway.js';
import { approveEnrolment } from '../../gateway/enrol-key.js';
import { insertDecision } from '../../store/decision-rows.js';
import { closeGate } from '../../store/gate-rows.js';
import { Authenticator, type Ceremony } from '../helpers/authenticator.js';
import { plantPasskey } from '../helpers/register.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { approvalOf, asked, rooted } from './ceremony.js';
import { admitted, decisionOf, opened, openHouse, sender, type House } from './house.js';
import { type Signer, signer } from './people.js';

let house: House;
afterEach(() => house.close());

const ask = (group: string, count: number) =>
  (['approve', 'sign-off'] as const).map((tier) => ({ tier, allOf: [{ group, count }] }));
const relyingParty = { rpId: 'localhost', origins: ['http://localhost:4000'] };

test('at a gate of two persons only passkeys that cannot be copied count, where the policy says so', async () => {
  const keys = { deviceBound: 'several-persons' } as const;
  house = await openHouse(trialPolicy({ override: { approvals: ask('approvers', 2), keys } }));
  const gateway = createGateway({ ...house.parts, trust: { rootKeys: [], relyingParty } });
  const [ofAda, ofBob, copied] = [new Authenticator(), new Authenticator(), new Authenticator()];
  await plantPasskey(house.db, ofAda, { person: 'p_ada' });
  await plantPasskey(house.db, ofBob, { person: 'p_bob' });
  await plantPasskey(house.db, copied, { person: 'p_bob', backup_eligible: true });
  const runId = await admitted(house, 'two');
  const gate = await opened(house, runId, 'plan');
  const by = async (person: string, passkey: Authenticator, ceremony: Ceremony = {}) => {
    const { signature, ...statement } = await decisionOf(
      house,
      gate,
      { ...house.ada, person, keyId: passkey.keyId },
      { surface: 'inbox' },
    );
    expect(signature.kind).toBe('ed25519');
    const message = {
      ...statement,
      signature: passkey.sign(statement, { counter: 7, ...ceremony }),
    };
    return gateway.recordDecision(runId, message, 'http');
  };
  const bound = { accepted: false, reason: 'webauthn-device-bound' };
  const file = await decisionOf(house, gate, house.ada);
  expect(await gateway.recordDecision(runId, file, 'http')).toMatchObject(bound);
  expect(await by('p_bob', copied, { flags: 0x0d })).toMatchObject(bound);
  expect(await by('p_ada', ofAda)).toMatchObject({ accepted: true, gateState: 'open' });
  expect(await by('p_bob', ofBob)).toMatchObject({ accepted: true, gateState: 'granted' });
  for (const step of ['create-customer', 'link-account'] as const)
    expect((await gateway.perform(runId, step, sender())).step).toBe(step);
}, 120_000);

/** Writes a decision and its grant as the role of our processes can, with whatever evidence. */
async function granted(runId: RunId, gate: OpenGate, by: Signer, group: string): Promise<void> {
  const message = await decisionOf(house, gate, by);
  const read = readDecision(canonicalize(message));
  await house.parts.db.transaction().execute(async (tx) => {
    await insertDecision(tx, {
      sha256: read.sha256,
      statementSha256: read.statementSha256,
      gateId: gate.gateId,
      runId,
      person: by.person,
      keyId: by.keyId,
      decision: 'approve',
      message: read.canonical,
      signature: 'x',
      reason: undefined,
      road: 'http',
      evidence: [
        { group, source: 'claim' as 'register', ageMs: 0 },
        { group, source: 'register', ageMs: 0 },
      ],
      assertion: undefined,
    });
    await closeGate(tx, {
      gateId: gate.gateId,
      from: ['open'],
      to: 'granted',
      reason: null,
      by: by.person,
    });
  });
}

test('a group that stands in the evidence of a decision and nowhere else grants nothing', async () => {
  house = await openHouse(trialPolicy({ override: { approvals: ask('finance', 1) } }));
  const runId = await admitted(house, 'claimed');
  const gate = await opened(house, runId, 'plan');
  const word = await decisionOf(house, gate, house.ada);
  expect(await house.gateway.recordDecision(runId, word, 'http')).toMatchObject({
    accepted: false,
    reason: 'not-in-group',
  });
  await granted(runId, gate, house.ada, 'finance');
  await house.gateway.perform(runId, 'create-customer', sender());
  await expect(house.gateway.perform(runId, 'link-account', sender())).rejects.toMatchObject({
    code: 'GRANT_VOID',
  });
}, 120_000);

test('where roots are pinned, a group that nobody has signed for is none', async () => {
  house = await openHouse();
  const groups = [{ name: 'admins', persons: ['p_root_a', 'p_root_b'] }];
  const keys = { administrators: 'admins', delay: '1m', deviceBound: 'nowhere' } as const;
  const policy = trialPolicy({ override: { groups, keys } });
  const { parts, roots } = await rooted(house, policy);
  const gateway = createGateway(parts);
  const [plain, named] = [signer('p_plain'), signer('p_named')];
  for (const one of [plain, named]) {
    // Both ask for the group, and both rows have it: for one of them nobody signs for it.
    const enrolment = await asked(house, parts, one);
    const signedFor = one === named ? ['approvers'] : 'unsaid';
    for (const root of roots) {
      const other = await approvalOf(house, enrolment, root, ['owners']);
      expect(await approveEnrolment(parts, other)).toMatchObject({ reason: 'groups-mismatch' });
      const word = await approvalOf(house, enrolment, root, signedFor);
      expect(await approveEnrolment(parts, word)).toMatchObject({ accepted: true });
    }
  }
  await house.advance(60_001);
  const runId = await admitted({ ...house, gateway }, 'signed-for');
  const gate = await opened({ ...house, gateway }, runId, 'plan');
  const decide = async (by: Signer) =>
    gateway.recordDecision(runId, await decisionOf(house, gate, by), 'http');
  expect(await decide(plain)).toMatchObject({ accepted: false, reason: 'not-in-group' });
  expect(await decide(named)).toMatchObject({ accepted: true, gateState: 'granted' });
}, 120_000);
