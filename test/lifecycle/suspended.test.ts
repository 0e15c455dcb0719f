import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { foundOf } from '../../cli/demo/verdict.js';
import { ended, reached } from '../helpers/stage.js';
import { openGround, outcomes, type Asked, type Ground } from './ground.js';

let ground: Ground;
beforeAll(async () => {
  ground = await openGround();
}, 400_000);
afterAll(() => ground.close(), 60_000);

const of: Asked = {
  runId: 'suspended',
  domain: 'quiet-lantern.club',
  page: 'site of suspended',
  principal: 'owner@quiet-lantern.example',
};

test('an agent that is suspended in the midst of its run does nothing more, whoever approves: what was done is taken back', async () => {
  const handle = await ground.provision(of);
  await ground.approve(handle, 'plan');
  await reached(
    handle,
    ({ openGate, phase }) => phase === 'awaiting-approval' && openGate?.gate === 'register-domain',
  );
  const paid = foundOf(await ground.stage.truth(), of);
  expect(paid.charges.map(({ refundedMinor }) => refundedMinor)).toEqual([0]);
  const suspended = ['agents', 'suspend', 'launch-agent', '--reason', 'strange requests'];
  expect((await ground.cli(suspended)).exitCode).toBe(0);
  // The purchase is approved all the same: by somebody who does not know of it yet.
  await ground.approve(handle, 'register-domain');
  const state = await ended(handle);
  expect(state.phase).toBe('reversed');
  expect(JSON.stringify(state)).toContain('suspended');
  expect(outcomes(state)).toMatchObject({ 'start-subscription': 'reversed' });
  const found = foundOf(await ground.stage.truth(), of);
  expect([found.registered, found.domainCharges]).toEqual([false, []]);
  expect(
    found.charges.map(({ amountMinor, refundedMinor }) => [amountMinor, refundedMinor]),
  ).toEqual([[1900, 1900]]);
  const { db } = ground.stage;
  const refused = await db
    .selectFrom('refusals')
    .select('reason')
    .where('run_id', '=', of.runId)
    .execute();
  expect(refused.map(({ reason }) => reason)).toContain('AGENT_SUSPENDED');
  // Nothing of it was authorized after the suspension but reversals.
  const acts = await db
    .selectFrom('effects')
    .select('step')
    .where('run_id', '=', of.runId)
    .where('kind', '=', 'act')
    .where('step', '=', 'register-domain')
    .where('attempt', '>', 0)
    .execute();
  expect(acts).toEqual([]);
}, 300_000);
