import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually, WORLD } from '../../cli/demo/stage.js';
import { foundOf } from '../../cli/demo/verdict.js';
import { signResume } from '../../client/decision.js';
import type { RunHandle } from '../../client/run-handle.js';
import type { FaultRuleInput } from '../../sandbox/control-client.js';
import { databaseNow } from '../../store/clock.js';
import { ended, PATIENCE_MS, reached } from '../helpers/stage.js';
import { openGround, outcomes, type Asked, type Ground } from './ground.js';

let ground: Ground;
beforeAll(async () => {
  ground = await openGround();
}, 400_000);
afterAll(() => ground.close(), 60_000);

const askedFor = (runId: string, domain: string): Asked => ({
  runId,
  domain,
  page: `site of ${runId}`,
  principal: `owner@${domain.replace('.club', '.example')}`,
});

/** Paid for, and waiting at the gate over its domain. */
async function paid(of: Asked): Promise<RunHandle> {
  const handle = await ground.provision(of);
  await ground.approve(handle, 'plan');
  await atGate(handle, 'register-domain');
  return handle;
}

const atGate = (handle: RunHandle, gate: string) =>
  reached(
    handle,
    ({ openGate, phase }) => phase === 'awaiting-approval' && openGate?.gate === gate,
  );

const faults = (...rules: FaultRuleInput[]) => ground.stage.sandbox.faults(WORLD, rules);
const refuse = (method: 'GET' | 'POST', path: string): FaultRuleInput => ({
  provider: 'stripe',
  method,
  path,
  fault: 'refuse',
  times: 10_000,
});

/** What the charges of a run are, and what of them was given back, in cents. */
const charges = async (of: Asked) =>
  foundOf(await ground.stage.truth(), of).charges.map(({ amountMinor, refundedMinor }) => [
    amountMinor,
    refundedMinor,
  ]);

/** A person at Stripe's own dashboard, in no way through us. */
async function atStripe(path: string, form: Readonly<Record<string, string>>): Promise<void> {
  const { stripe } = await ground.stage.sandbox.credentials(WORLD);
  const answer = await fetch(`${ground.stage.stack.endpoints.sandbox?.apiUrl ?? ''}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stripe.actions}`, connection: 'close' },
    body: new URLSearchParams(form),
  });
  expect([path, answer.status]).toEqual([path, 200]);
}

const reject = (runId: string) =>
  ground.signed('ada', ['reject', runId, '--gate', 'register-domain', '--reason', 'not this one']);
const resolve = (runId: string, way: string, person: 'ada' | 'nobody' = 'ada') =>
  ground.signed(person, [
    ...['resolve', runId, '--step', 'start-subscription', way],
    ...['--reason', 'looked at it in the dashboard'],
  ]);

test('a refund that fails for good: every view says so and what to do; a signed word counts once it is true', async () => {
  const of = askedFor('stuck-hand', 'patient-harbour.club');
  const handle = await paid(of);
  await faults(refuse('POST', '/v1/refunds'));
  expect((await reject(of.runId)).exitCode).toBe(0);
  await reached(handle, ({ phase }) => phase === 'stuck');
  const command = `countersign resolve ${of.runId} --step start-subscription --retry`;
  const show = await ground.cli(['show', of.runId]);
  expect(show.out).toMatch(/! start-subscription +stuck/);
  expect(show.out).toContain(command);
  const why = await ground.cli(['why', of.runId]);
  expect(why.out).toMatch(
    /It is stuck: start-subscription: reversing stripe: subscriptions\.cancel: .*refused/,
  );
  expect(why.out).toContain(command);
  await eventually('the run among the stuck ones', async () => {
    const { out } = await ground.cli(['runs', '--phase', 'stuck']);
    return out.includes(of.runId) ? out : undefined;
  });
  const inbox = await ground.cli(['inbox']);
  expect(inbox.out).toMatch(/stuck-hand +being taken back, or stuck +start-subscription/);

  const early = await resolve(of.runId, '--done-by-hand');
  expect([early.exitCode, early.err]).toEqual([
    1,
    expect.stringMatching(/still shows it as it was \(not-done\)/),
  ]);
  const other = await resolve(of.runId, '--done-by-hand', 'nobody');
  expect([other.exitCode, other.err]).toEqual([
    1,
    expect.stringMatching(/groups.*\(not-in-group\)/),
  ]);
  expect((await handle.state()).phase).toBe('stuck');
  expect(await charges(of)).toEqual([[1900, 0]]);

  await faults();
  await refundByHand(of);
  const done = await resolve(of.runId, '--done-by-hand');
  expect([done.exitCode, done.err]).toEqual([0, '']);
  const state = await ended(handle);
  expect(state.phase).toBe('reversed');
  expect(outcomes(state)).toMatchObject({ 'start-subscription': 'reversed' });
  expect(await charges(of)).toEqual([[1900, 1900]]);
  const late = await resolve(of.runId, '--retry');
  expect([late.exitCode, late.err]).toEqual([
    2,
    expect.stringMatching(/is not stuck: it is reversed/),
  ]);
}, 300_000);

async function refundByHand(of: Asked): Promise<void> {
  const { charges: all } = await ground.stage.truth();
  const made = all.find(({ idempotencyKey }) => idempotencyKey?.includes(`/${of.runId}/`));
  await atStripe('/v1/refunds', { charge: made?.object ?? '' });
}

test('given up: the charge stays, and report, cases and exit code say so', async () => {
  const of = askedFor('stuck-given', 'tidal-lamp.club');
  const handle = await paid(of);
  await faults(refuse('POST', '/v1/refunds'));
  await reject(of.runId);
  await reached(handle, ({ phase }) => phase === 'stuck');
  await faults();
  const given = await resolve(of.runId, '--give-up');
  expect(given.exitCode).toBe(0);
  const state = await ended(handle);
  expect(state).toMatchObject({
    phase: 'reversed',
    spentMinor: 1900,
    residue: expect.arrayContaining([
      {
        step: 'start-subscription',
        minor: 1900,
        text: expect.stringContaining('given up by p_ada'),
      },
    ]) as unknown,
  });
  expect(await charges(of)).toEqual([[1900, 0]]);
  const cases = await ground.cli(['cases']);
  expect(cases.out).toMatch(
    /residue {2}run stuck-given\n +start-subscription of stuck-given was given up by p_ada/,
  );
  expect(cases.out.replace(/\s+/g, ' ')).toMatch(/: sub_\w+ ends with its customer cus_\w+/);
  expect(foundOf(await ground.stage.truth(), of)).toMatchObject({ customers: 0, subscriptions: 0 });
  const show = await ground.cli(['show', of.runId]);
  expect(show.out).toMatch(/left by start-subscription: 19\.00 USD/);
}, 300_000);

test('a charge of which nobody can tell whether it was made: stuck until it can be read, then taken back', async () => {
  const of = askedFor('stuck-unknown', 'hollow-reed.club');
  await faults(
    { provider: 'stripe', method: 'POST', path: '/v1/subscriptions', fault: 'act-then-drop' },
    refuse('GET', '/v1/subscriptions'),
  );
  const handle = await ground.provision(of);
  await ground.approve(handle, 'plan');
  await reached(handle, ({ phase }) => phase === 'stuck');
  expect(await charges(of)).toEqual([[1900, 0]]);
  await faults();
  expect((await resolve(of.runId, '--retry')).exitCode).toBe(0);
  expect((await ended(handle)).phase).toBe('reversed');
  expect(await charges(of)).toEqual([[1900, 1900]]);
}, 300_000);

test('one run is held by a stop and goes on when somebody who may signs it', async () => {
  const of = askedFor('held', 'copper-finch.club');
  const handle = await paid(of);
  const before = (await ground.stage.truth()).requests.length;
  const stop = await ground.cli(['stop', '--run', of.runId, '--hold', '--reason', 'let me look']);
  expect([stop.exitCode, stop.out]).toEqual([
    0,
    expect.stringMatching(/gateway +confirmed .*drained/),
  ]);
  await reached(handle, ({ phase }) => phase === 'held');
  const why = await ground.cli(['why', of.runId]);
  expect(why.out).toContain(`countersign resume --run ${of.runId} --reason`);
  expect((await ground.cli(['inbox'])).out).toMatch(/held +stopped .*let me look/);
  const refused = await resume('nobody', '--run', of.runId);
  expect([refused.exitCode, refused.err]).toEqual([1, expect.stringMatching(/\(not-in-group\)/)]);
  expect((await handle.state()).phase).toBe('held');
  expect(await effectsSince(before)).toEqual([]);
  const resumed = await resume('ada', '--run', of.runId);
  expect([resumed.exitCode, resumed.out]).toEqual([0, expect.stringContaining('goes on')]);
  await atGate(handle, 'register-domain');
  await ground.approve(handle, 'register-domain');
  expect((await ended(handle)).phase).toBe('completed');
  expect(await ground.page(of.domain)).toBe('200 site of held');
  expect(await charges(of)).toEqual([[1900, 0]]);
}, 300_000);

const resume = (person: 'ada' | 'nobody', ...scope: string[]) =>
  ground.signed(person, ['resume', ...scope, '--reason', 'looked at it']);

async function effectsSince(count: number): Promise<string[]> {
  const { requests } = await ground.stage.truth();
  return requests
    .slice(count)
    .filter(({ method, role }) => /^(actions|accounts|token-)/.test(role) && method !== 'GET')
    .map(({ method, path }) => `${method} ${path}`);
}

test('everything is held, and what is held goes on once somebody who may lifts the stop', async () => {
  const of = askedFor('held-all', 'slow-heron.club');
  const handle = await paid(of);
  const stop = await ground.cli(['stop', '--all', '--hold', '--reason', 'card stolen']);
  expect(stop.exitCode).toBe(0);
  await reached(handle, ({ phase }) => phase === 'held');
  const alone = await resume('ada', '--run', of.runId);
  expect([alone.exitCode, alone.err]).toEqual([
    2,
    expect.stringMatching(/under a wider stop too: all/),
  ]);
  await signalResume(handle);
  await eventually('the refusal', () => refusalOf(of.runId, 'still-stopped'));
  expect((await handle.state()).phase).toBe('held');
  const refused = await resume('nobody', '--all');
  expect([refused.exitCode, refused.err]).toEqual([2, expect.stringMatching(/\(not-in-group\)/)]);
  expect((await ground.cli(['status'])).out).toMatch(/stopped: all since .*card stolen/);
  const lifted = await resume('ada', '--all');
  expect([lifted.exitCode, lifted.out]).toEqual([
    0,
    expect.stringMatching(/Lifted the stop over all.\nTold \d of \d run/),
  ]);
  await atGate(handle, 'register-domain');
  await ground.approve(handle, 'register-domain');
  expect((await ended(handle)).phase).toBe('completed');
}, 300_000);

/** The same word past the command line, straight to the run. */
async function signalResume(handle: RunHandle): Promise<void> {
  const { db, instance } = ground.stage;
  const at = (await databaseNow(db)).toISOString();
  const statement = { instance, scope: `run/${handle.runId}`, by: 'p_ada', reason: 'go', at };
  await handle.resume(signResume(statement, await ground.keyOf('ada')));
}

const refusalOf = (runId: string, reason: string) =>
  ground.stage.db
    .selectFrom('refusals')
    .select('id')
    .where('run_id', '=', runId)
    .where('reason', '=', reason)
    .executeTakeFirst();

test('stop --all from the command line: nothing begins after it, what was done is taken back, and it is lifted', async () => {
  const of = askedFor('stopped', 'winter-barn.club');
  const handle = await paid(of);
  const before = (await ground.stage.truth()).requests.length;
  const stop = await ground.cli(['stop', '--all', '--reason', 'pressed by a test']);
  expect([stop.exitCode, stop.out]).toEqual([
    0,
    expect.stringContaining('told        1 of 1 run(s)'),
  ]);
  expect((await ended(handle)).phase).toBe('reversed');
  expect(await effectsSince(before)).toEqual([]);
  expect(await charges(of)).toEqual([[1900, 1900]]);
  const late = await ground.provision(askedFor('stopped-late', 'late-barn.club'));
  expect((await ended(late)).phase).toBe('denied');
  expect((await ground.cli(['why', 'stopped-late'])).out).toMatch(/is suspended/);
  expect(await effectsSince(before)).toEqual([]);
  const lifted = await resume('ada', '--all');
  expect([lifted.exitCode, lifted.out]).toEqual([0, 'Lifted the stop over all.\n']);
}, 300_000);

test('terminated in Temporal: a sweep starts its repair once, which takes everything back', async () => {
  const of = askedFor('terminated', 'glass-orchard.club');
  const handle = await paid(of);
  await ground.temporal.workflow.getHandle(handle.workflowId).terminate('pressed the wrong button');
  const midst = await ground.cli(['show', of.runId]);
  expect(midst.out).toMatch(/terminated {2}unwinding\nTemporal ended this run in its midst/);
  expect(midst.out).not.toContain('countersign approve');
  await ground.stage.advance(2 * 60_000);
  await ground.sweep();
  const state = await ended(handle);
  expect(state).toMatchObject({ phase: 'reversed', why: expect.stringContaining('TERMINATED') });
  expect(await charges(of)).toEqual([[1900, 1900]]);
  expect(foundOf(await ground.stage.truth(), of)).toMatchObject({
    customers: 0,
    subscriptions: 0,
    registered: false,
    workers: 0,
  });
  const runs = await eventually('the run among the reversed', async () => {
    const { out } = await ground.cli(['runs', '--phase', 'reversed']);
    return out.includes(of.runId) ? out : undefined;
  });
  expect(runs).toMatch(/terminated +reversed +glass-orchard\.club/);
  expect(await ground.sweepHere()).toEqual([]);
  expect(await ground.sweepHere()).toEqual([]);
  expect(await repairsOf(of.runId)).toBe(1);
}, 300_000);

async function repairsOf(runId: string): Promise<number> {
  const query = `WorkflowId = 'repair/${runId}'`;
  return (await ground.temporal.workflow.count(query)).count;
}

test('what the sweep finds is a case: a second charge with our marker, and a run that Temporal has lost', async () => {
  const { living } = await ground.stage.truth();
  const subscription = living.find(
    ({ kind, marker }) => kind === 'subscription' && marker?.split('/')[1] === 'held',
  );
  const customer = living.find(
    ({ kind, marker }) => kind === 'customer' && marker?.split('/')[1] === 'held',
  );
  await atStripe('/v1/subscriptions', {
    customer: customer?.id ?? '',
    'items[0][price]': 'price_starter_monthly',
    'metadata[countersign_effect]': subscription?.marker ?? '',
  });
  const lost = await ground.provision(askedFor('lost', 'quiet-otter.club'));
  await atGate(lost, 'plan');
  await ground.temporal.workflowService.deleteWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: lost.workflowId },
  });
  await eventually(
    'the run is gone from Temporal',
    async () => ((await ground.cli(['show', 'lost'])).exitCode === 2 ? true : undefined),
    PATIENCE_MS,
  );
  await ground.stage.advance(61 * 60_000);
  expect(await ground.sweepHere()).not.toEqual([]);
  const { out } = await ground.cli(['cases']);
  expect(out).toMatch(/double {2}run held\n +stripe holds sub_\w+: a double of sub_\w+\./);
  expect(out.replace(/\s+/g, ' ')).toContain('Proposed: take it back and refund 19.00 USD.');
  expect(out.replace(/\s+/g, ' ')).toContain(
    'run-lost run lost Temporal knows no workflow provision/lost, and its run has not ended',
  );
  const kinds = out.split('\n').flatMap((line) => /^#\d+ (\S+)/.exec(line)?.[1] ?? []);
  expect(kinds.filter((kind) => kind !== 'residue').sort()).toEqual(['double', 'run-lost']);
}, 300_000);
