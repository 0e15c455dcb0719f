import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Failure } from '../../domain/errors.js';
import { cardSchema } from '../../domain/documents.js';
import { addDelegation } from '../../store/delegations.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import {
  admitted,
  approved,
  decisionOf,
  opened,
  openHouse,
  perform,
  performedUpTo,
  refusals,
} from './house.js';
import type { House } from './house.js';

let house: House;
beforeEach(async () => {
  house = await openHouse();
});
afterEach(async () => {
  await house.close();
});

const reserved = async (): Promise<number> =>
  (await house.db.selectFrom('reservations').select('amount_minor').execute()).reduce(
    (sum, { amount_minor }) => sum + amount_minor,
    0,
  );

test('the first gate reserves the whole plan, and opening it again answers the same gate', async () => {
  const runId = await admitted(house);
  const gate = await opened(house, runId, 'plan');
  expect(await reserved()).toBe(1900 + 1120);
  const again = await opened(house, runId, 'plan');
  expect(again).toMatchObject({ gateId: gate.gateId, digest: gate.digest });
  expect(await reserved()).toBe(1900 + 1120);
  const scopes = cardSchema.parse(JSON.parse(gate.card)).caps;
  expect(scopes).toContainEqual({
    scope: 'principal-provider:pr_owner:stripe',
    capMinor: 10_000,
    usedMinor: 0,
    afterMinor: 1900,
  });
});

test('a plan above a cap is denied before anything is done, and the cap is named', async () => {
  await house.close();
  const policy = trialPolicy();
  house = await openHouse({ ...policy, caps: { ...policy.caps, principalProvider: '18.99 USD' } });
  const runId = await admitted(house);
  await expect(house.gateway.openGate(runId, 'plan')).rejects.toMatchObject({
    code: 'BUDGET_EXCEEDED',
    message: expect.stringContaining('principal-provider:pr_owner:stripe') as unknown,
  });
  expect(await reserved()).toBe(0);
  expect(await house.db.selectFrom('gates').selectAll().execute()).toEqual([]);
  // The denial is on record, so that the run can end as denied.
  await house.gateway.closeDoor(runId, { kind: 'denied' });
  expect((await house.gateway.finish(runId, 'caps')).phase).toBe('denied');
});

test('a signed approval grants the gate, once; its bytes again are the same decision', async () => {
  const runId = await admitted(house);
  const gate = await opened(house, runId, 'plan');
  const decision = await decisionOf(house, gate, house.ada);
  for (let time = 0; time < 2; time += 1)
    expect(await house.gateway.recordDecision(runId, decision, 'signal')).toEqual({
      accepted: true,
      gateState: 'granted',
      approver: 'p_ada',
    });
  expect(await house.gateway.gateStatus(runId, gate.gateId)).toEqual({
    state: 'granted',
    approvers: ['p_ada'],
  });
  expect(await house.db.selectFrom('decisions').selectAll().execute()).toHaveLength(1);
  expect(await house.db.selectFrom('terms_acceptances').selectAll().execute()).toMatchObject([
    { principal_id: 'pr_owner', provider: 'cloudflare', accepted_by: ['p_ada'] },
  ]);
});

test('where the policy keeps the principal from approving, the person that they are is refused', async () => {
  const other = await openHouse(trialPolicy({ override: { excludePrincipal: true } }));
  try {
    await other.db.updateTable('principals').set({ person_id: 'p_ada' }).execute();
    await addDelegation(other.db, {
      delegationId: 'd_0000000000000001',
      person: 'p_ada',
      agent: 'launch-agent',
      steps: ['*'],
      ceilingMinor: 10_000,
      currency: 'USD',
      until: new Date('2099-01-01T00:00:00.000Z'),
      statement: '{}',
    });
    const runId = await admitted(other);
    const gate = await opened(other, runId, 'plan');
    const decided = async (by: House['ada']) =>
      other.gateway.recordDecision(runId, await decisionOf(other, gate, by), 'signal');
    expect(await decided(other.ada)).toMatchObject({
      accepted: false,
      reason: 'excluded-principal',
    });
    expect(await decided(other.bob)).toMatchObject({ accepted: true });
  } finally {
    await other.close();
  }
});

test.each([
  ['the owner of the agent', 'excluded-owner', (h: House) => ({ by: h.owner, change: {} })],
  [
    'another gate',
    'gate-unknown',
    (h: House) => ({ by: h.ada, change: { gateId: 'provision/launch:plan:2' } }),
  ],
  [
    'another run’s gate',
    'gate-unknown',
    (h: House) => ({ by: h.ada, change: { gateId: 'provision/other:plan:1' } }),
  ],
  [
    'another digest',
    'digest-mismatch',
    (h: House) => ({ by: h.ada, change: { actionDigest: `sha256:${'1'.repeat(64)}` } }),
  ],
  [
    'another instance',
    'instance-mismatch',
    (h: House) => ({ by: h.ada, change: { instance: '1'.repeat(32) } }),
  ],
  [
    'somebody else’s key',
    'key-not-of-approver',
    (h: House) => ({ by: { ...h.ada, person: 'p_bob' }, change: {} }),
  ],
  [
    'a key nobody enrolled',
    'key-unknown',
    (h: House) => ({ by: { ...h.ada, keyId: 'B'.repeat(43) }, change: {} }),
  ],
  [
    'a clock far off',
    'clock-skew',
    (h: House) => ({ by: h.ada, change: { decidedAt: '2020-01-01T00:00:00.000Z' } }),
  ],
] as const)('a decision by or for %s changes nothing: %s', async (_what, reason, make) => {
  const runId = await admitted(house);
  const gate = await opened(house, runId, 'plan');
  const { by, change } = make(house);
  const decision = await decisionOf(house, gate, by, change);
  expect(await house.gateway.recordDecision(runId, decision, 'signal')).toMatchObject({
    accepted: false,
    reason,
  });
  expect(await house.gateway.gateStatus(runId, gate.gateId)).toMatchObject({ state: 'open' });
  expect((await refusals(house)).at(-1)).toMatch(new RegExp(`^decide .*: ${reason}$`));
});

test('an unsigned approval, a signature over other words and junk change nothing', async () => {
  const runId = await admitted(house);
  const gate = await opened(house, runId, 'plan');
  const { signature, ...unsigned } = await decisionOf(house, gate, house.ada);
  const rejected = { ...unsigned, decision: 'reject', signature };
  expect(await house.gateway.recordDecision(runId, unsigned, 'signal')).toMatchObject({
    reason: 'unsigned',
  });
  expect(await house.gateway.recordDecision(runId, rejected, 'signal')).toMatchObject({
    reason: 'signature-bad',
  });
  for (const junk of [null, 7, 'text', [], { type: 'x' }, '{"a":1,"a":2}'])
    expect(await house.gateway.recordDecision(runId, junk, 'signal')).toMatchObject({
      accepted: false,
    });
  expect(await house.gateway.gateStatus(runId, gate.gateId)).toMatchObject({ state: 'open' });
});

test('a flood of refused decisions is cut short for its own run alone, whatever gates it names', async () => {
  const [one, other] = [await admitted(house, 'one'), await admitted(house, 'other')];
  const gate = await opened(house, one, 'plan');
  const good = await decisionOf(house, gate, house.ada);
  for (let count = 0; count < 130; count += 1) {
    await house.gateway.recordDecision(one, { junk: `${count}` }, 'signal');
    const nowhere = { ...good, gateId: `provision/one:plan:${count + 2}` };
    await house.gateway.recordDecision(one, nowhere, 'signal');
  }
  const kept = async (runId: string): Promise<number> =>
    (await house.db.selectFrom('refusals').select('id').where('run_id', '=', runId).execute())
      .length;
  expect(await kept(one)).toBe(2 * 100);
  await house.gateway.recordDecision(other, { junk: '0' }, 'signal');
  expect(await kept(other)).toBe(1);
});

test('one valid reject closes the gate for good', async () => {
  const runId = await admitted(house);
  const gate = await opened(house, runId, 'plan');
  const no = await decisionOf(house, gate, house.ada, { decision: 'reject', reason: 'not now' });
  expect(await house.gateway.recordDecision(runId, no, 'signal')).toMatchObject({
    gateState: 'rejected',
  });
  const late = await decisionOf(house, gate, house.bob);
  expect(await house.gateway.recordDecision(runId, late, 'signal')).toMatchObject({
    reason: 'gate-closed',
  });
  expect((await opened(house, runId, 'plan')).gateId).toBe(gate.gateId);
  await expect(perform(house, runId, 'link-account')).rejects.toMatchObject({
    code: 'APPROVAL_REJECTED',
  });
});

test('a decision recorded after the expiry loses, whatever its own clock says', async () => {
  const runId = await admitted(house);
  const gate = await opened(house, runId, 'plan');
  const decision = await decisionOf(house, gate, house.ada);
  await house.advance(gate.expiresInMs);
  expect(await house.gateway.recordDecision(runId, decision, 'signal')).toMatchObject({
    reason: 'gate-expired',
  });
  expect(await house.gateway.gateStatus(runId, gate.gateId)).toEqual({ state: 'expired' });
  await perform(house, runId, 'create-customer');
  await expect(perform(house, runId, 'link-account')).rejects.toMatchObject({
    code: 'APPROVAL_EXPIRED',
  });
  // Silence is never consent, and never asked again.
  expect((await opened(house, runId, 'plan')).gateId).toBe(gate.gateId);
});

test('what nobody answered is not asked again by another price', async () => {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, 'start-subscription');
  const gate = await opened(house, runId, 'register-domain');
  await house.advance(gate.expiresInMs);
  await house.gateway.gateStatus(runId, gate.gateId);
  house.outside.domain = {
    registrable: true,
    registrationMinor: 1119,
    renewalMinor: 1119,
    currency: 'USD',
  };
  await house.gateway.plan(runId);
  expect((await opened(house, runId, 'register-domain')).gateId).toBe(gate.gateId);
});

test('a decision recorded before the expiry wins, however late the question comes', async () => {
  const runId = await admitted(house);
  const gate = await approved(house, runId, 'plan');
  await house.advance(gate.expiresInMs + 1);
  expect(await house.gateway.gateStatus(runId, gate.gateId)).toMatchObject({ state: 'granted' });
});

test('a grant that was not used in time is void, and its next revision asks again', async () => {
  const runId = await admitted(house);
  const gate = await approved(house, runId, 'plan');
  await perform(house, runId, 'create-customer');
  await house.advance(gate.expiresInMs + 1);
  await expect(perform(house, runId, 'link-account')).rejects.toMatchObject({
    code: 'GRANT_VOID',
    details: { gateId: gate.gateId },
  });
  expect(await house.gateway.gateStatus(runId, gate.gateId)).toMatchObject({ state: 'void' });
  const next = await approved(house, runId, 'plan');
  expect(next.revision).toBe(2);
  await perform(house, runId, 'link-account');
});

test('a price that rises by a cent voids the grant, and the next gate shows the difference', async () => {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, 'start-subscription');
  const gate = await approved(house, runId, 'register-domain');
  expect(cardSchema.parse(JSON.parse(gate.card)).typeToConfirm).toBe('superseal.club');
  // The check right before the purchase sees the new price.
  house.outside.domain = {
    registrable: true,
    registrationMinor: 1121,
    renewalMinor: 1121,
    currency: 'USD',
  };

  house.world.checks.set('register-domain', () => {
    throw new Failure('GRANT_VOID', 'the price is 11.21 USD now');
  });
  await expect(perform(house, runId, 'register-domain')).rejects.toMatchObject({
    code: 'GRANT_VOID',
  });
  house.world.checks.clear();
  const next = await opened(house, runId, 'register-domain');
  expect(next.revision).toBe(2);
  expect(cardSchema.parse(JSON.parse(next.card)).changes).toContainEqual({
    what: 'register-domain: most it may cost',
    before: '11.20 USD',
    after: '11.21 USD',
  });
  // The old grant is worth nothing for the new action.
  await expect(perform(house, runId, 'register-domain')).rejects.toMatchObject({
    code: 'GATE_NEEDED',
  });
  await house.gateway.recordDecision(runId, await decisionOf(house, next, house.ada), 'signal');
  expect(await perform(house, runId, 'register-domain')).toMatchObject({ spentMinor: 1121 });
});

test('what this run has made itself is not adopted when it is planned again', async () => {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, 'start-subscription');
  const { plan } = await house.gateway.plan(runId);
  expect(plan.steps.slice(0, 4).map(({ kind }) => kind)).toEqual(['act', 'act', 'act', 'act']);
});

test('a customer known by e-mail alone needs a person’s word, and is on record after it', async () => {
  house.outside.customers = [
    { customerId: 'cus_found', email: 'owner@example.com', marker: undefined },
  ];
  const runId = await admitted(house);
  const gate = await opened(house, runId, 'plan');
  expect(JSON.stringify(JSON.parse(gate.card))).toContain('cus_found');
  await house.gateway.recordDecision(runId, await decisionOf(house, gate, house.ada), 'signal');
  expect(await house.db.selectFrom('principal_accounts').select('account').execute()).toEqual([
    { account: 'cus_found' },
  ]);
});

test('an approval by a key that is revoked before the effect is no approval any more', async () => {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await perform(house, runId, 'create-customer');
  await house.db
    .updateTable('keys')
    .set({ revoked_at: new Date() })
    .where('person_id', '=', 'p_ada')
    .execute();
  await expect(perform(house, runId, 'link-account')).rejects.toMatchObject({ code: 'GRANT_VOID' });
});
