import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { inventory } from '../../activities/inventory.js';
import { TEARDOWN_STEPS } from '../../domain/build-teardown.js';
import type { RunId } from '../../domain/ids.js';
import type { EffectStep } from '../../domain/steps.js';
import { builtInPolicy } from '../../domain/policy/built-in.js';
import { createGateway } from '../../gateway/create-gateway.js';
import { diffOverRuns } from '../../gateway/policy-diff.js';
import { reconcile } from '../../gateway/reconcile.js';
import { sweep } from '../../gateway/sweep.js';
import { databaseNow } from '../../store/clock.js';
import { linkedAccount } from '../../store/principal-accounts.js';
import { openSandbox, performed, takenBack, upTo } from './at-sandbox.js';
import type { AtSandbox, Sandboxed } from './at-sandbox.js';
import { admitted, approved, claimOf, opened, perform, refusals, sender } from './house.js';

/** Taking down again what a completed run made: the real operations, at the real sandbox. */
let sandbox: Sandboxed;
let at: AtSandbox;
beforeAll(async () => {
  sandbox = await openSandbox({ httpTimeoutMs: 1_500 });
});
afterAll(() => sandbox.close());
afterEach(() => at.close());

const DNS = { dns: [{ type: 'TXT', name: '@', content: 'hello' }] };
/** Another product of the same principal. */
const OTHER = {
  goal: 'Put other-name.club online',
  domain: { name: 'other-name.club', years: 1 },
};
const HOUR_MS = 3_600_000;

/** A run with everything that a run can make, to its end. */
async function launched(name = 'launch', change: Record<string, unknown> = DNS): Promise<RunId> {
  const runId = await admitted(at, name, change);
  await approved(at, runId, 'plan');
  await upTo(at, runId, 'attach-domain', 'dns' in change ? [] : ['configure-dns']);
  // Not verified: one edge serves all worlds, and answers a name for one of them only.
  expect(await at.parts.door.complete(runId)).toBe('completed');
  return runId;
}

const taking = (tearsDown: string, change: Record<string, unknown> = DNS) => ({
  ...change,
  goal: 'Take superseal.club down again',
  tearsDown,
});

/** A teardown that people have agreed to. */
async function agreed(of: RunId, name = 'gone'): Promise<RunId> {
  const runId = await admitted(at, name, taking(of));
  await approved(at, runId, 'plan');
  return runId;
}

async function tornDown(runId: RunId, steps: readonly EffectStep[] = TEARDOWN_STEPS) {
  for (const step of steps) await performed(at, runId, step);
}

const rowOf = async (runId: RunId, step: EffectStep) =>
  at.db
    .selectFrom('effects')
    .selectAll()
    .where('run_id', '=', runId)
    .where('step', '=', step)
    .where('kind', '=', 'act')
    .executeTakeFirstOrThrow();

const due = async (month: string): Promise<number> =>
  (
    await at.db
      .selectFrom('commitments')
      .select(['ended_month'])
      .where('amount_minor', '>', 0)
      .execute()
  ).filter(({ ended_month: ended }) => ended === null || ended > month).length;

/** What exists at the providers, beside accounts and the credentials of this test. */
async function left(): Promise<string[]> {
  const { living } = await at.control.truth(at.world);
  const ground = ['account', 'member', 'token'];
  return living.flatMap(({ kind }) => (ground.includes(kind) ? [] : [kind])).sort();
}

test('a completed run is taken down behind one gate, and what stays is named', async () => {
  at = await sandbox.open('whole');
  const launch = await launched();
  const gone = await admitted(at, 'gone', taking(launch));
  const { plan } = await at.gateway.plan(gone);
  expect(plan.denials).toEqual([]);
  expect(plan.steps.map(({ step, kind, reversal }) => [step, kind, reversal])).toEqual(
    TEARDOWN_STEPS.map((step) => [step, 'act', 'none']),
  );
  expect(plan.gates.map(({ gate, steps }) => [gate, steps])).toEqual([
    ['plan', [...TEARDOWN_STEPS]],
  ]);
  // Nothing is done before a person has agreed.
  await expect(perform(at, gone, 'attach-domain')).rejects.toMatchObject({ code: 'GATE_NEEDED' });
  const card = JSON.parse((await opened(at, gone, 'plan')).card) as Record<string, unknown>;
  expect(card).toMatchObject({
    typeToConfirm: 'superseal.club',
    title: expect.stringContaining('Tear down launch') as unknown,
    totalMaxMinor: 0,
  });
  expect(JSON.stringify(card['notes'])).toContain('gone for good');
  await approved(at, gone, 'plan');
  // Backwards, and no step before the one above it.
  await expect(perform(at, gone, 'create-customer')).rejects.toMatchObject({
    code: 'OUT_OF_ORDER',
  });
  await tornDown(gone);
  const ended = await at.gateway.complete(gone);
  expect(ended).toMatchObject({ phase: 'completed', tearsDown: launch, spentMinor: 0 });
  expect(ended.residue.map(({ step }) => step)).toEqual(['register-domain', 'start-subscription']);
  expect((await at.gateway.report(launch)).tornDownBy).toBe(gone);
  // Nothing that costs: the name does not renew, and its zone is part of it.
  expect(await left()).toEqual(['registration', 'zone']);
  const { charges } = await at.control.truth(at.world);
  expect(charges.map(({ refundedMinor }) => refundedMinor)).toEqual([0, 0]);
  // It renews no more, the customer is nobody's, and nothing of it looks lost or left over.
  expect(await due(new Date().toISOString().slice(0, 7))).toBe(0);
  expect(await linkedAccount(at.db, { principal: 'pr_owner', provider: 'stripe' })).toBeUndefined();
  await at.wait(2 * HOUR_MS);
  const swept = await sweep(at.parts, {
    temporal: { namespace: 'default', cluster: 'c1' },
    describeRun: () => Promise.resolve('RUNNING'),
    startRepair: () => Promise.resolve(),
  });
  expect(swept.cases).toBe(0);
  expect((await reconcile(at.parts, inventory)).found).toEqual([]);
});

test('another policy decides a recorded teardown again as what it is', async () => {
  at = await sandbox.open('diff');
  const gone = await agreed(await launched());
  const two = (['approve', 'sign-off'] as const).map((tier) => ({
    tier,
    allOf: [{ group: 'approvers', count: 2 }],
  }));
  const { extraApprovals, newlyDenied } = await diffOverRuns(
    { db: at.db, instance: at.instance },
    { old: builtInPolicy(), new: builtInPolicy({ override: { approvals: two } }) },
  );
  expect(newlyDenied).toEqual([]);
  expect(extraApprovals.find(({ runId }) => runId === gone)).toEqual({
    runId: gone,
    old: ['plan: approvers'],
    new: ['plan: approvers', 'plan: approvers'],
  });
});

test('the same can be set up again once it was taken down', async () => {
  at = await sandbox.open('again');
  const gone = await agreed(await launched());
  await tornDown(gone);
  await at.gateway.complete(gone);
  const again = await admitted(at, 'again', DNS);
  const { plan } = await at.gateway.plan(again);
  const kinds = Object.fromEntries(plan.steps.map(({ step, kind }) => [step, kind]));
  expect(kinds).toMatchObject({ 'create-customer': 'act', 'register-domain': 'adopt' });
  await approved(at, again, 'plan');
  for (const { step, kind } of plan.steps)
    if (kind === 'act' && step !== 'verify-site') await performed(at, again, step);
  expect(await at.parts.door.complete(again)).toBe('completed');
});

test('only a completed run of the same principal, name and environment is taken down, once', async () => {
  at = await sandbox.open('which');
  const open = await admitted(at, 'open', { domain: { name: 'other-name.club', years: 1 } });
  // Whoever asks may ask for all of it: what refuses is whose run it is.
  const created_at = await databaseNow(at.db);
  const other = { principal_id: 'pr_other', name: 'Other', email: 'other@example.com' };
  await at.db
    .insertInto('principals')
    .values({ ...other, created_at })
    .execute();
  await at.db
    .updateTable('service_keys')
    .set({ environments: ['*'], principals: ['*'] })
    .execute();
  const refused = (name: string, change: Record<string, unknown>) =>
    expect(at.gateway.admit(claimOf(at, name, change))).rejects.toMatchObject({
      code: 'ADMISSION_REFUSED',
    });
  await refused('t1', taking('nowhere'));
  await refused('t2', taking(open, { domain: { name: 'other-name.club', years: 1 } }));
  const launch = await launched();
  await refused('t3', taking(launch, { domain: { name: 'other-name.club', years: 1 } }));
  await refused('t4', taking(launch, { ...DNS, environment: 'staging' }));
  await refused('t9', taking(launch, { ...DNS, principal: other.email }));
  const gone = await agreed(launch);
  await refused('t5', taking(launch));
  await refused('t6', taking(gone));
  await tornDown(gone);
  await at.gateway.complete(gone);
  await refused('t7', taking(launch));
  await refused('t8', taking(gone));
  expect((await refusals(at)).filter((one) => one === 'admit: teardown')).toHaveLength(9);
});

test('what another run has adopted is not torn down: the plan is denied by its name', async () => {
  at = await sandbox.open('adopted');
  const launch = await launched('launch', {});
  await admitted(at, 'other', OTHER);
  const gone = await at.gateway.admit(claimOf(at, 'gone', taking(launch, {})));
  const { denials } = await at.gateway.plan(gone.runId);
  expect(denials.map(({ message }) => message).join()).toMatch(/^sub_\w+ was adopted by other/);
  await expect(at.gateway.openGate(gone.runId, 'plan')).rejects.toMatchObject({
    code: 'POLICY_DENIED',
  });
});

test('what is adopted after the approval is seen behind the mark, and left alone', async () => {
  at = await sandbox.open('race');
  const launch = await launched();
  const gone = await agreed(launch);
  await tornDown(gone, ['attach-domain', 'deploy-site', 'configure-dns', 'register-domain']);
  await admitted(at, 'other', OTHER);
  await expect(performed(at, gone, 'start-subscription')).rejects.toMatchObject({
    code: 'USED_BY_OTHERS',
    message: expect.stringContaining('other') as unknown,
  });
  // Surely nothing was done, so it is free again.
  expect(await rowOf(launch, 'start-subscription')).toMatchObject({ torn_by: null, torn_at: null });
  expect(await left()).toContain('subscription');
});

test('whoever comes to use it while the door is asked is seen: the look is behind the door', async () => {
  at = await sandbox.open('behind');
  const launch = await launched();
  const gone = await agreed(launch);
  await tornDown(gone, ['attach-domain', 'deploy-site', 'configure-dns', 'register-domain']);
  const { door } = at.parts;
  const held = createGateway({
    ...at.parts,
    door: {
      ...door,
      authorize: async (ask) => {
        await admitted(at, 'other', OTHER);
        return door.authorize(ask);
      },
    },
  });
  await expect(held.perform(gone, 'start-subscription', sender())).rejects.toMatchObject({
    code: 'USED_BY_OTHERS',
  });
  expect(await rowOf(launch, 'start-subscription')).toMatchObject({ torn_by: null, torn_at: null });
  expect(await left()).toContain('subscription');
});

test('what is being torn down is not planned upon', async () => {
  at = await sandbox.open('mark');
  const launch = await launched();
  const gone = await agreed(launch);
  await tornDown(gone, ['attach-domain', 'deploy-site', 'configure-dns', 'register-domain']);
  const killed = sender((point) => {
    if (point === 'after-authorize') throw new Error('killed');
  });
  await at.gateway.perform(gone, 'start-subscription', killed).catch(() => undefined);
  expect(await rowOf(launch, 'start-subscription')).toMatchObject({ torn_by: gone });
  const other = claimOf(at, 'other', OTHER);
  await at.gateway.admit(other);
  await expect(at.gateway.plan(other.runId as RunId)).rejects.toMatchObject({
    code: 'BUSY',
    message: expect.stringContaining('start-subscription of run launch') as unknown,
  });
});

test.each([
  ['attach-domain', 'cloudflare', 'DELETE', '/client/v4/accounts/*/workers/domains/*'],
  ['deploy-site', 'cloudflare', 'DELETE', '/client/v4/accounts/*/workers/scripts/*'],
  ['configure-dns', 'cloudflare', 'POST', '/client/v4/zones/*/dns_records/batch'],
  ['register-domain', 'cloudflare', 'PATCH', '/client/v4/accounts/*/registrar/registrations/*'],
  ['start-subscription', 'stripe', 'DELETE', '/v1/subscriptions/*'],
  ['create-customer', 'stripe', 'DELETE', '/v1/customers/*'],
] as const)(
  'a lost answer of the teardown of %s is found by reading back',
  async (step, provider, method, path) => {
    at = await sandbox.open(`lost-${step}`);
    const gone = await agreed(await launched());
    await tornDown(gone, TEARDOWN_STEPS.slice(0, TEARDOWN_STEPS.indexOf(step)));
    await at.control.faults(at.world, [
      { provider, method, path, fault: 'act-then-drop', times: 1 },
    ]);
    await expect(perform(at, gone, step)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    await performed(at, gone, step);
    expect(await rowOf(gone, step)).toMatchObject({ state: 'succeeded', attempt: 1 });
  },
);

test('a teardown that is stopped stops: what is gone stays gone, and the rest stands and can be taken down', async () => {
  at = await sandbox.open('stopped');
  const launch = await launched();
  const gone = await agreed(launch);
  await tornDown(gone, ['attach-domain', 'deploy-site']);
  await at.gateway.stopRun(gone, 'p_ada', 'enough', 'unwind');
  const { steps } = await at.gateway.closeDoor(gone, { kind: 'stopped' });
  for (const step of steps) await takenBack(at, gone, step);
  const ended = await at.gateway.finish(gone, 'stopped by p_ada: enough');
  expect(ended.phase).toBe('reversed');
  expect(ended.residue.map(({ step, text }) => [step, text.includes('nothing makes it')])).toEqual([
    ['attach-domain', true],
    ['deploy-site', true],
  ]);
  expect((await at.gateway.report(launch)).tornDownBy).toBeUndefined();
  expect(await left()).not.toContain('worker');
  expect(await left()).toContain('subscription');
  const rest = await agreed(launch, 'rest');
  const { plan } = await at.gateway.plan(rest);
  expect(plan.steps.map(({ step }) => step)).toEqual(TEARDOWN_STEPS.slice(2));
  await tornDown(rest, TEARDOWN_STEPS.slice(2));
  expect((await at.gateway.complete(rest)).phase).toBe('completed');
});

test('no other run tears anything down, and a teardown does nothing else', async () => {
  at = await sandbox.open('nothing-else');
  const gone = await agreed(await launched());
  await expect(perform(at, gone, 'link-account')).rejects.toMatchObject({ code: 'OUT_OF_ORDER' });
  await at.db
    .updateTable('effects')
    .set({ torn_by: 'launch' })
    .where('run_id', '=', 'launch')
    .where('step', '=', 'attach-domain')
    .where('kind', '=', 'act')
    .execute();
  await expect(perform(at, gone, 'attach-domain')).rejects.toMatchObject({ code: 'OUT_OF_ORDER' });
  expect(await left()).toContain('custom-domain');
});
