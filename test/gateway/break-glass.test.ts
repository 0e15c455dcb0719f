import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { canonicalize } from '../../domain/canonical.js';
import type { BreakGlassMessage } from '../../domain/break-glass-documents.js';
import type { RunId } from '../../domain/ids.js';
import type { OpenGate } from '../../domain/plan.js';
import { policyDigestOf } from '../../domain/policy/schema.js';
import type { Policy } from '../../domain/policy/schema.js';
import { signStatement } from '../../domain/signature.js';
import { closeCase } from '../../gateway/close-case.js';
import { createGateway } from '../../gateway/create-gateway.js';
import { policyInForce } from '../../gateway/policy.js';
import { stop } from '../../gateway/stop.js';
import { databaseNow } from '../../store/clock.js';
import { verifyLog } from '../../store/log.js';
import { activatePolicy } from '../../store/policies.js';
import { Authenticator } from '../helpers/authenticator.js';
import { plantPasskey } from '../helpers/register.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { rooted } from './ceremony.js';
import { admitted, living, opened, openHouse, perform, refusals, sender } from './house.js';
import type { House } from './house.js';
import type { Signer } from './people.js';

const MINUTE_MS = 60_000;
const REASON = 'the shop is down and nobody else answers';

/** Two approvers are asked; Bob may pass alone, for half an hour. */
const policyWith = (override: Partial<Policy> = {}): Policy =>
  trialPolicy({
    override: {
      approvals: (['approve', 'sign-off'] as const).map((tier) => ({
        tier,
        allOf: [{ group: 'approvers', count: 2 }],
      })),
      breakGlass: [
        { person: 'p_bob', maxMinutes: 30, environments: ['development'], steps: ['*'] },
        { person: 'p_owner', maxMinutes: 60, environments: ['development'], steps: ['*'] },
      ],
      ...override,
    },
  });

let house: House;
beforeEach(async () => {
  house = await openHouse(policyWith());
});
afterEach(async () => {
  await house.close();
});
const reopen = async (override: Partial<Policy>): Promise<void> => {
  await house.close();
  house = await openHouse(policyWith(override));
};

/** A signed break-glass over an open gate; minutes from now by the database's clock. */
async function glassOf(
  runId: RunId,
  gate: OpenGate,
  {
    by = house.bob,
    minutes = 30,
    ...change
  }: { by?: Signer; minutes?: number } & Record<string, unknown> = {},
): Promise<BreakGlassMessage> {
  const now = await databaseNow(house.db);
  const statement = {
    type: 'countersign.break-glass.v1',
    instance: house.instance,
    runId,
    gateId: gate.gateId,
    actionDigest: gate.digest,
    approver: by.person,
    keyId: by.keyId,
    decidedAt: now.toISOString(),
    expiresAt: new Date(now.getTime() + minutes * MINUTE_MS).toISOString(),
    reason: REASON,
    ...change,
  };
  return { ...statement, signature: signStatement(statement, by.seed) } as BreakGlassMessage;
}
const say = (runId: RunId, message: unknown) =>
  house.gateway.recordDecision(runId, message, 'signal');
const atGate = async (name = 'launch'): Promise<[RunId, OpenGate]> => {
  const runId = await admitted(house, name);
  return [runId, await opened(house, runId, 'plan')];
};
const review = () =>
  house.db.selectFrom('cases').selectAll().where('kind', '=', 'break-glass-review').execute();
async function reviewed(by: Signer): Promise<unknown> {
  const row = (await review()).find(({ closed_at }) => closed_at === null)!;
  const statement = {
    type: 'countersign.close-case.v1',
    instance: house.instance,
    caseId: row.case_id,
    kind: row.kind,
    by: by.person,
    keyId: by.keyId,
    reason: 'looked at it',
    at: (await databaseNow(house.db)).toISOString(),
  };
  return closeCase(house.parts, { ...statement, signature: signStatement(statement, by.seed) });
}

test('one named person passes a gate alone, and the review, the notice and the log say so', async () => {
  const [runId, gate] = await atGate();
  const message = await glassOf(runId, gate);
  for (let time = 0; time < 2; time += 1)
    expect(await say(runId, message)).toEqual({
      accepted: true,
      gateState: 'granted',
      approver: 'p_bob',
    });
  await perform(house, runId, 'create-customer');
  await perform(house, runId, 'link-account');
  expect(await review()).toMatchObject([
    {
      run_id: runId,
      person_id: 'p_bob',
      severity: 'urgent',
      text: `p_bob passed the gate ${gate.gateId} alone, by break-glass, until ${message.expiresAt}. Their reason: ${REASON}`,
    },
  ]);
  const [told] = await house.db
    .selectFrom('notices')
    .select('payload')
    .where('kind', '=', 'break-glass')
    .execute();
  expect(told?.payload).toMatchObject({ by: 'p_bob', until: message.expiresAt, case: 1 });
  expect(JSON.stringify(told)).not.toContain('shop');
  const logged = await house.db.selectFrom('log').select('kind').execute();
  expect(logged.filter(({ kind }) => kind === 'break-glass')).toHaveLength(1);
  expect(await verifyLog(house.db)).toHaveProperty('entries');
});

test.each([
  ['somebody whom the policy does not name', 'break-glass-not-allowed', () => ({ by: house.ada })],
  ['whoever answers for the agent', 'excluded-owner', () => ({ by: house.owner })],
  ['another digest', 'digest-mismatch', () => ({ actionDigest: `sha256:${'1'.repeat(64)}` })],
  ['another instance', 'instance-mismatch', () => ({ instance: '1'.repeat(32) })],
  ['another run', 'gate-unknown', () => ({ runId: 'other' })],
  ['longer than the policy lets it', 'break-glass-too-long', () => ({ minutes: 31 })],
  ['no time at all', 'break-glass-too-long', () => ({ minutes: 0 })],
  ['a short reason', 'malformed', () => ({ reason: 'because' })],
  ['no reason', 'malformed', () => ({ reason: '' })],
  [
    'an agent’s tricks in the reason',
    'malformed',
    () => ({ reason: 'harmless \u202e words here' }),
  ],
  [
    'a clock far off',
    'break-glass-expired',
    () => ({ decidedAt: '2020-01-01T00:00:00.000Z', expiresAt: '2020-01-01T00:10:00.000Z' }),
  ],
] as const)('a break-glass by or with %s passes nothing: %s', async (_what, reason, make) => {
  const [runId, gate] = await atGate();
  const made = make() as Record<string, unknown>;
  const message = JSON.parse(JSON.stringify(await glassOf(runId, gate, made))) as unknown;
  expect(await say(runId, message)).toMatchObject({ accepted: false, reason: reason });
  expect(await house.gateway.gateStatus(runId, gate.gateId)).toMatchObject({ state: 'open' });
  expect((await refusals(house)).at(-1)).toContain(`: ${reason}`);
  expect(await review()).toEqual([]);
});

test('unsigned, signed by another key or over other words it passes nothing', async () => {
  const [runId, gate] = await atGate();
  const { signature, ...bare } = await glassOf(runId, gate);
  for (const [message, reason] of [
    [bare, 'malformed'],
    [{ ...bare, reason: `${REASON}!`, signature }, 'signature-bad'],
    [{ ...bare, signature: signStatement(bare, house.ada.seed) }, 'signature-bad'],
    [{ ...bare, keyId: house.ada.keyId, signature }, 'key-not-of-approver'],
    [{ ...bare, type: 'countersign.decision.v1', signature }, 'malformed'],
  ] as const)
    expect(await say(runId, message)).toMatchObject({ accepted: false, reason });
  expect(await house.gateway.gateStatus(runId, gate.gateId)).toMatchObject({ state: 'open' });
});

test('environment and steps are those that the policy names', async () => {
  for (const rule of [
    { person: 'p_bob', maxMinutes: 30, environments: ['production'], steps: ['*'] },
    { person: 'p_bob', maxMinutes: 30, environments: ['development'], steps: ['link-account'] },
  ] as Policy['breakGlass'] & object) {
    await reopen({ breakGlass: [rule] });
    const [runId, gate] = await atGate();
    expect(await say(runId, await glassOf(runId, gate))).toMatchObject({
      reason: 'break-glass-not-allowed',
    });
  }
});

test('its time ends with its last millisecond, at use, by the database’s clock', async () => {
  const [runId, gate] = await atGate();
  await say(runId, await glassOf(runId, gate));
  await perform(house, runId, 'create-customer');
  const { expires_at } = await house.db
    .selectFrom('break_glasses')
    .select('expires_at')
    .executeTakeFirstOrThrow();
  await house.advance(expires_at.getTime() - (await databaseNow(house.db)).getTime());
  await expect(perform(house, runId, 'link-account')).rejects.toMatchObject({
    code: 'GRANT_VOID',
    details: { reason: 'break-glass-expired' },
  });
  expect(await house.gateway.gateStatus(runId, gate.gateId)).toMatchObject({ state: 'void' });
});

test('until another person has reviewed it nobody breaks the glass for another run', async () => {
  const [one, first] = await atGate('one');
  const [two, second] = await atGate('two');
  const both = await Promise.all([
    say(one, await glassOf(one, first)),
    say(two, await glassOf(two, second)),
  ]);
  expect(both.filter(({ accepted }) => accepted)).toHaveLength(1);
  const [other, gate] = both[0].accepted ? [two, second] : [one, first];
  expect(await say(other, await glassOf(other, gate, { minutes: 29 }))).toMatchObject({
    reason: 'break-glass-review-open',
  });
  expect(await reviewed(house.bob)).toMatchObject({ closed: false, reason: 'excluded-subject' });
  await expect(
    house.db
      .updateTable('cases')
      .set({ closed_at: new Date(), closed_by: 'sweep', closed_as: 'seen-resolved' })
      .execute(),
  ).rejects.toThrow('another person');
  expect(await reviewed(house.ada)).toMatchObject({ closed: true });
  expect(await say(other, await glassOf(other, gate))).toMatchObject({ accepted: true });
});

/** Bob has passed the gate alone, and what needs nobody's word is done: the next step stands on his alone. */
async function broken(name = 'launch'): Promise<[RunId, OpenGate]> {
  const [runId, gate] = await atGate(name);
  expect(await say(runId, await glassOf(runId, gate))).toMatchObject({ accepted: true });
  await perform(house, runId, 'create-customer');
  return [runId, gate];
}
const inForce = (override: Partial<Policy>): Promise<unknown> => {
  const policy = policyWith(override);
  return activatePolicy(house.db, {
    digest: policyDigestOf(policy),
    document: canonicalize(policy),
    activatedBy: 'test',
  });
};

test('a stop covers what was passed by it, at the step that stands on it alone', async () => {
  const [runId] = await broken();
  await stop(house.parts, { scope: `run/${runId}`, reason: 'x', by: 'p_ada', proven: true });
  await expect(perform(house, runId, 'link-account')).rejects.toMatchObject({ code: 'FENCED' });
});

test('a cap holds against what was passed by it', async () => {
  const [runId] = await broken();
  await perform(house, runId, 'link-account');
  await inForce({ caps: { ...trialPolicy().caps, principalProvider: '18.99 USD' } });
  await expect(perform(house, runId, 'start-subscription')).rejects.toMatchObject({
    code: 'BUDGET_EXCEEDED',
  });
  expect(living(house)).not.toContain('start-subscription');
});

test('a denial of the policy holds against what was passed by it', async () => {
  const [runId] = await broken();
  await inForce({ services: [] });
  await expect(perform(house, runId, 'link-account')).rejects.toMatchObject({
    code: 'POLICY_DENIED',
  });
});

test('a key revoked afterwards ends it at the next use', async () => {
  const [runId] = await broken();
  await house.db
    .updateTable('keys')
    .set({ revoked_at: new Date(), revoked_as: 'compromised' })
    .where('key_id', '=', house.bob.keyId)
    .execute();
  await expect(perform(house, runId, 'link-account')).rejects.toMatchObject({
    code: 'GRANT_VOID',
    details: { reason: 'key-revoked' },
  });
});

test('a rule that left the policy ends it at the next use', async () => {
  const [runId, gate] = await broken();
  await inForce({ breakGlass: [] });
  await expect(perform(house, runId, 'link-account')).rejects.toMatchObject({
    code: 'GRANT_VOID',
    details: { reason: 'break-glass-not-allowed' },
  });
  expect(await house.gateway.gateStatus(runId, gate.gateId)).toMatchObject({ state: 'void' });
});

test('later cards of the run say who passed which gate alone', async () => {
  const [runId, gate] = await broken();
  const later = await opened(house, runId, 'register-domain');
  const { notes } = JSON.parse(later.card) as { notes: string[] };
  expect(notes).toContain(
    `p_bob passed the gate ${gate.gateId} of this run alone, by break-glass.`,
  );
});

test('a passkey breaks the glass, is verified again at the use, and its counter is spent once', async () => {
  const passkey = new Authenticator();
  const trust = {
    rootKeys: [],
    relyingParty: { rpId: 'localhost', origins: ['http://localhost:4000'] },
  };
  const gateway = createGateway({ ...house.parts, trust });
  await plantPasskey(house.db, passkey, { person: 'p_bob' });
  const [runId, gate] = await atGate();
  const { signature, ...statement } = await glassOf(runId, gate, { keyId: passkey.keyId });
  expect(signature.kind).toBe('ed25519');
  const message = { ...statement, signature: passkey.sign(statement, { counter: 7 }) };
  // Where no relying party is configured no passkey counts.
  expect(await say(runId, message)).toMatchObject({ accepted: false });
  for (let time = 0; time < 2; time += 1)
    expect(await gateway.recordDecision(runId, message, 'http')).toMatchObject({
      accepted: true,
      gateState: 'granted',
    });
  const key = house.db.selectFrom('keys').select('counter');
  expect(await key.where('key_id', '=', passkey.keyId).execute()).toEqual([{ counter: 7 }]);
  for (const step of ['create-customer', 'link-account'] as const)
    expect((await gateway.perform(runId, step, sender())).step).toBe(step);
});

test('where root keys are pinned, a key that does not lead to them breaks no glass', async () => {
  const [runId, gate] = await atGate();
  const { policy } = await policyInForce(house.db, house.parts);
  const gateway = createGateway((await rooted(house, policy)).parts);
  expect(await gateway.recordDecision(runId, await glassOf(runId, gate), 'signal')).toMatchObject({
    accepted: false,
    reason: 'key-unknown',
  });
});
