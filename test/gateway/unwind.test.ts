import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { ResolveMessage, ResumeMessage } from '../../domain/documents.js';
import type { RunId } from '../../domain/ids.js';
import { signStatement } from '../../domain/signature.js';
import { EFFECT_STEPS } from '../../domain/steps.js';
import type { EffectStep } from '../../domain/steps.js';
import { databaseNow } from '../../store/clock.js';
import {
  admitted,
  approved,
  decisionOf,
  HTTP_TIMEOUT_MS,
  living,
  opened,
  openHouse,
  perform,
  performedUpTo,
  refusals,
  reversed,
  sender,
} from './house.js';
import type { House } from './house.js';
import type { Signer } from './people.js';

let house: House;
beforeEach(async () => {
  house = await openHouse();
});
afterEach(async () => {
  await house.close();
});

/** A run that has done everything up to a step and then failed for good. */
async function failedAfter(last: EffectStep): Promise<RunId> {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, last);
  await house.gateway.recordFailure(runId, 'deploy-site', 'PROVIDER_REFUSED', 'refused for good');
  return runId;
}

async function unwound(runId: RunId): Promise<readonly EffectStep[]> {
  const { steps } = await house.gateway.closeDoor(runId, { kind: 'failure', step: 'deploy-site' });
  for (const step of steps) await reversed(house, runId, step);
  return steps;
}

async function resolveBy(
  by: Signer,
  of: { runId: string; step: EffectStep; action: ResolveMessage['action'] },
  change: Record<string, unknown> = {},
): Promise<ResolveMessage> {
  const statement = {
    type: 'countersign.resolve.v1',
    instance: house.instance,
    ...of,
    by: by.person,
    keyId: by.keyId,
    reason: 'seen to it',
    at: (await databaseNow(house.db)).toISOString(),
    ...change,
  };
  return { ...statement, signature: signStatement(statement, by.seed) } as ResolveMessage;
}

test('everything is taken back, last first, and the run ends reversed', async () => {
  const runId = await failedAfter('register-domain');
  const steps = await unwound(runId);
  expect(steps).toEqual(EFFECT_STEPS.filter((step) => step !== 'configure-dns').reverse());
  expect(living(house)).toEqual([]);
  const state = await house.gateway.finish(runId, 'the deploy failed');
  expect(state.phase).toBe('reversed');
  expect(state.steps.map(({ outcome }) => outcome)).toEqual([
    'reversed',
    'mitigated',
    'reversed',
    'mitigated',
    'skipped',
    'never-happened',
    'never-happened',
    'pending',
  ]);
  expect(state.spentMinor).toBe(0);
  expect(state.reservedMinor).toBe(0);
});

test('without a cause on record no door closes and nothing is taken back', async () => {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, 'start-subscription');
  for (const cause of [
    { kind: 'failure', step: 'start-subscription' },
    { kind: 'stopped' },
    { kind: 'denied' },
    { kind: 'temporal', status: 'TERMINATED' },
    { kind: 'resolved', step: 'start-subscription' },
  ] as const)
    await expect(house.gateway.closeDoor(runId, cause)).rejects.toMatchObject({ code: 'NO_CAUSE' });
  await expect(house.gateway.reverse(runId, 'start-subscription', sender())).rejects.toMatchObject({
    code: 'NO_CAUSE',
  });
  expect(living(house)).toContain('start-subscription');
  expect(await refusals(house)).toContain('reverse start-subscription: NO_CAUSE');
});

test('what a completed run made is not taken back', async () => {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, 'attach-domain');
  await expect(house.gateway.complete(runId)).rejects.toMatchObject({ code: 'OUT_OF_ORDER' });
  await house.gateway.verify(runId);
  expect((await house.gateway.complete(runId)).phase).toBe('completed');
  await house.gateway.recordFailure(runId, 'deploy-site', 'PROVIDER_REFUSED', 'made up');
  await expect(
    house.gateway.closeDoor(runId, { kind: 'failure', step: 'deploy-site' }),
  ).rejects.toMatchObject({ code: 'NO_CAUSE' });
  await expect(house.gateway.reverse(runId, 'deploy-site', sender())).rejects.toMatchObject({
    code: 'NO_CAUSE',
  });
  expect(living(house)).toHaveLength(6);
});

test('a step that never ran leaves a tombstone, behind which nobody can run it', async () => {
  const runId = await failedAfter('link-account');
  await house.gateway.closeDoor(runId, { kind: 'failure', step: 'deploy-site' });
  expect(await reversed(house, runId, 'start-subscription')).toMatchObject({
    report: { outcome: 'never-happened' },
  });
  await expect(perform(house, runId, 'start-subscription')).rejects.toMatchObject({
    code: 'DOOR_CLOSED',
  });
  expect(living(house)).not.toContain('start-subscription');
});

test('once the door is closed, no step is performed and no gate opens', async () => {
  const runId = await failedAfter('link-account');
  await house.gateway.closeDoor(runId, { kind: 'failure', step: 'deploy-site' });
  await expect(perform(house, runId, 'start-subscription')).rejects.toMatchObject({
    code: 'DOOR_CLOSED',
  });
  await expect(house.gateway.openGate(runId, 'register-domain')).rejects.toMatchObject({
    code: 'DOOR_CLOSED',
  });
  await expect(house.gateway.complete(runId)).rejects.toMatchObject({ code: 'DOOR_CLOSED' });
});

test('an outcome that nobody knows is waited for, found, captured and taken back', async () => {
  const runId = await failedAfter('link-account');
  house.stub.faults.set('start-subscription', ['slow-act']);
  await expect(perform(house, runId, 'start-subscription')).rejects.toMatchObject({
    code: 'OUTCOME_UNKNOWN',
  });
  await house.gateway.closeDoor(runId, { kind: 'failure', step: 'deploy-site' });
  // Read too early it is not there; that proves nothing.
  expect(await house.gateway.reverse(runId, 'start-subscription', sender())).toMatchObject({
    done: false,
  });
  house.stub.releaseSlow();
  expect(await reversed(house, runId, 'start-subscription')).toMatchObject({
    report: { outcome: 'reversed', spentMinor: 0 },
  });
  expect(living(house)).not.toContain('start-subscription');
  const postings = await house.db
    .selectFrom('postings')
    .select(['kind', 'amount_minor'])
    .where('step', '=', 'start-subscription')
    .orderBy('id')
    .execute();
  expect(postings).toEqual([
    { kind: 'reserve', amount_minor: 1900 },
    { kind: 'capture', amount_minor: 1900 },
    { kind: 'refund', amount_minor: 1900 },
  ]);
});

test('what others use by now is not taken back: a person decides', async () => {
  const runId = await failedAfter('start-subscription');
  house.world.usedByOthers.add('start-subscription');
  await house.gateway.closeDoor(runId, { kind: 'failure', step: 'deploy-site' });
  await expect(house.gateway.reverse(runId, 'start-subscription', sender())).rejects.toMatchObject({
    code: 'USED_BY_OTHERS',
  });
  expect(living(house)).toContain('start-subscription');
});

test('done-by-hand is believed only after the provider has been asked', async () => {
  const runId = await failedAfter('start-subscription');
  house.world.usedByOthers.add('start-subscription');
  await house.gateway.closeDoor(runId, { kind: 'failure', step: 'deploy-site' });
  await house.gateway.reverse(runId, 'start-subscription', sender()).catch(() => undefined);
  const order = { runId, step: 'start-subscription', action: 'done-by-hand' } as const;
  expect(await house.gateway.resolve(runId, await resolveBy(house.ada, order))).toEqual({
    accepted: false,
    reason: 'not-done',
  });
  for (const thing of house.stub.things) thing.alive = false;
  expect(await house.gateway.resolve(runId, await resolveBy(house.ada, order))).toMatchObject({
    accepted: true,
  });
  expect(await reversed(house, runId, 'start-subscription')).toMatchObject({ done: true });
});

test('giving up leaves the residue on record, and a case', async () => {
  const runId = await failedAfter('start-subscription');
  house.world.usedByOthers.add('start-subscription');
  await house.gateway.closeDoor(runId, { kind: 'failure', step: 'deploy-site' });
  await house.gateway.reverse(runId, 'start-subscription', sender()).catch(() => undefined);
  const order = await resolveBy(house.ada, {
    runId,
    step: 'start-subscription',
    action: 'give-up',
  });
  expect(await house.gateway.resolve(runId, order)).toMatchObject({ accepted: true });
  expect(await house.gateway.resolve(runId, order)).toMatchObject({ accepted: true });
  const state = await house.gateway.report(runId);
  expect(state.residue).toEqual([
    { step: 'start-subscription', minor: 1900, text: 'given up by p_ada: seen to it' },
  ]);
  // The customer is taken back after it, and Stripe cancels what it had subscribed to.
  expect(state.cases).toEqual([
    expect.stringMatching(/was given up by p_ada: \S+ ends with its customer \S+, which is still/),
  ]);
});

test('giving up a subscription whose customer was given up says that it stays', async () => {
  const runId = await failedAfter('start-subscription');
  const steps = ['start-subscription', 'create-customer'] as const;
  for (const step of steps) house.world.usedByOthers.add(step);
  await house.gateway.closeDoor(runId, { kind: 'failure', step: 'deploy-site' });
  for (const step of steps)
    await house.gateway.reverse(runId, step, sender()).catch(() => undefined);
  for (const step of [...steps].reverse())
    await house.gateway.resolve(
      runId,
      await resolveBy(house.ada, { runId, step, action: 'give-up' }),
    );
  const { cases } = await house.gateway.report(runId);
  expect(cases).toEqual([
    expect.stringMatching(/^create-customer of .* was given up by p_ada: \S+ stays$/),
    expect.stringMatching(/^start-subscription of .* was given up by p_ada: \S+ stays$/),
  ]);
});

test.each<[string, string, () => Promise<unknown>]>([
  [
    'unsigned words',
    'malformed',
    async () => ({ ...(await signedRetry(house.ada)), signature: undefined }),
  ],
  ['another run', 'run-mismatch', () => signedRetry(house.ada, { runId: 'other' })],
  [
    'another instance',
    'instance-mismatch',
    () => signedRetry(house.ada, { instance: '1'.repeat(32) }),
  ],
  [
    'a key nobody enrolled',
    'key-unknown',
    () => signedRetry({ ...house.ada, keyId: 'B'.repeat(43) }),
  ],
  [
    'somebody else’s name',
    'key-not-of-approver',
    () => signedRetry({ ...house.ada, person: 'p_bob' }),
  ],
  [
    'a changed word',
    'signature-bad',
    async () => ({ ...(await signedRetry(house.ada)), action: 'give-up' }),
  ],
  ['an old word', 'clock-skew', () => signedRetry(house.ada, { at: '2020-01-01T00:00:00.000Z' })],
  ['a decision', 'malformed', () => signedRetry(house.ada, { type: 'countersign.decision.v1' })],
])('%s resolves nothing: %s', async (_what, reason, make) => {
  const runId = await admitted(house);
  expect(await house.gateway.resolve(runId, await make())).toEqual({ accepted: false, reason });
  expect((await refusals(house)).at(-1)).toBe(`resolve: ${reason}`);
});

const signedRetry = (by: Signer, change: Record<string, unknown> = {}): Promise<ResolveMessage> =>
  resolveBy(by, { runId: 'launch', step: 'start-subscription', action: 'retry' }, change);

test('a reversal that does not get done says so, and goes on when it can', async () => {
  const runId = await failedAfter('start-subscription');
  house.world.stubborn.add('start-subscription');
  await house.gateway.closeDoor(runId, { kind: 'failure', step: 'deploy-site' });
  for (let round = 0; round < 2; round += 1)
    expect(await house.gateway.reverse(runId, 'start-subscription', sender())).toMatchObject({
      done: false,
      why: 'still there',
    });
  house.world.stubborn.clear();
  expect(await reversed(house, runId, 'start-subscription')).toMatchObject({ done: true });
});

test('a reversal that is not done in three days needs a person, whose retry gives it as long again', async () => {
  const runId = await failedAfter('start-subscription');
  house.world.stubborn.add('start-subscription');
  await house.gateway.closeDoor(runId, { kind: 'failure', step: 'deploy-site' });
  const reverse = () => house.gateway.reverse(runId, 'start-subscription', sender());
  await house.advance(71 * 3_600_000);
  expect(await reverse()).toMatchObject({ done: false });
  await house.advance(2 * 3_600_000);
  await expect(reverse()).rejects.toMatchObject({
    code: 'COMPENSATION_FAILED',
    message: expect.stringContaining('still there') as unknown,
  });
  const order = { runId, step: 'start-subscription', action: 'retry' } as const;
  await house.gateway.resolve(runId, await resolveBy(house.ada, order));
  expect(await reverse()).toMatchObject({ done: false });
});

test('killed after the reversal, the next attempt finds it done and takes nothing back twice', async () => {
  const runId = await failedAfter('start-subscription');
  await house.gateway.closeDoor(runId, { kind: 'failure', step: 'deploy-site' });
  const killed = sender((name) => {
    if (name === 'after-reverse') throw new Error('killed');
  });
  await house.gateway.reverse(runId, 'start-subscription', killed).catch(() => undefined);
  await house.advance(HTTP_TIMEOUT_MS + 10_000);
  // By then others may use the name again: what is gone already is not judged.
  house.world.usedByOthers.add('start-subscription');
  expect(await reversed(house, runId, 'start-subscription')).toMatchObject({ done: true });
  expect(house.stub.requests.filter(({ method }) => method === 'DELETE')).toHaveLength(1);
});

test('a rejected gate and an expired one are causes; a granted one is none', async () => {
  const granted = await admitted(house, 'granted');
  const gate = await approved(house, granted, 'plan');
  await expect(
    house.gateway.closeDoor(granted, { kind: 'rejected', gateId: gate.gateId }),
  ).rejects.toMatchObject({ code: 'NO_CAUSE' });
  const refused = await admitted(house, 'refused');
  const open = await opened(house, refused, 'plan');
  const no = await decisionOf(house, open, house.ada, { decision: 'reject' });
  await house.gateway.recordDecision(refused, no, 'signal');
  await house.gateway.closeDoor(refused, { kind: 'rejected', gateId: open.gateId });
  expect((await house.gateway.finish(refused, 'not now')).phase).toBe('rejected');
});

test('a stop fences the run, makes its gate void, and a signed resume lifts it once', async () => {
  const runId = await admitted(house);
  const gate = await opened(house, runId, 'plan');
  await house.gateway.stopRun(runId, 'somebody', 'look first', 'hold');
  expect(await house.gateway.gateStatus(runId, gate.gateId)).toMatchObject({ state: 'void' });
  await expect(perform(house, runId, 'create-customer')).rejects.toMatchObject({ code: 'FENCED' });
  await expect(house.gateway.openGate(runId, 'plan')).rejects.toMatchObject({ code: 'FENCED' });
  const statement = {
    type: 'countersign.resume.v1',
    instance: house.instance,
    scope: `run/${runId}`,
    by: house.ada.person,
    keyId: house.ada.keyId,
    reason: 'looked',
    at: (await databaseNow(house.db)).toISOString(),
  };
  const message = {
    ...statement,
    signature: signStatement(statement, house.ada.seed),
  } as ResumeMessage;
  const unsigned: unknown = statement;
  expect(await house.gateway.resume(runId, unsigned)).toEqual({
    accepted: false,
    reason: 'malformed',
  });
  expect(await house.gateway.resume(runId, message)).toMatchObject({ accepted: true });
  await perform(house, runId, 'create-customer');
  await house.gateway.stopRun(runId, 'somebody', 'again', 'hold');
  expect(await house.gateway.resume(runId, message)).toMatchObject({ accepted: false });
  await expect(perform(house, runId, 'link-account')).rejects.toMatchObject({
    code: expect.anything() as unknown,
  });
});

test('a stop during a wait ends it at the next try, and reversals go on under it', async () => {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, 'link-account');
  house.stub.faults.set('start-subscription', ['429', '429']);
  await expect(perform(house, runId, 'start-subscription')).rejects.toMatchObject({
    code: 'PROVIDER_UNAVAILABLE',
  });
  await house.gateway.stopRun(runId, 'somebody', 'enough', 'unwind');
  await expect(perform(house, runId, 'start-subscription')).rejects.toMatchObject({
    code: 'FENCED',
  });
  const { steps } = await house.gateway.closeDoor(runId, { kind: 'stopped' });
  for (const step of steps) await reversed(house, runId, step);
  expect(living(house)).toEqual([]);
});
