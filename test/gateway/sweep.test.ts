import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { ResolveStatement } from '../../domain/documents.js';
import { signStatement } from '../../domain/signature.js';
import { orderRepair } from '../../gateway/order-repair.js';
import type { Parts } from '../../gateway/parts.js';
import { stop } from '../../gateway/stop.js';
import { sweep } from '../../gateway/sweep.js';
import type { SweepDeps, Swept, TemporalStatus } from '../../gateway/sweep.js';
import { databaseNow } from '../../store/clock.js';
import { effectsDue } from '../../store/sweep-rows.js';
import {
  admitted,
  approved,
  living,
  opened,
  openHouse,
  perform,
  performedUpTo,
  reversed,
  sender,
} from './house.js';
import type { House } from './house.js';
import type { Signer } from './people.js';

const HOUR_MS = 3_600_000;

let house: House;
let statuses: Map<string, TemporalStatus>;
let repairs: string[];
beforeEach(async () => {
  house = await openHouse();
  statuses = new Map();
  repairs = [];
});
afterEach(async () => {
  await house.close();
});

const swept = (
  temporal: Partial<SweepDeps['temporal']> = {},
  parts: Parts = house.parts,
): Promise<Swept> =>
  sweep(parts, {
    temporal: { namespace: 'default', cluster: 'c1', ...temporal },
    describeRun: (runId) => Promise.resolve(statuses.get(runId) ?? 'RUNNING'),
    startRepair: (runId, status) => {
      repairs.push(`${runId} ${status}`);
      return Promise.resolve();
    },
  });

const cases = async (): Promise<string[]> =>
  (await house.db.selectFrom('cases').select('kind').orderBy('case_id').execute()).map(
    ({ kind }) => kind,
  );

test('every effect is read back 1 h and 25 h after its last request, and not in between', async () => {
  const runId = await admitted(house);
  await perform(house, runId, 'create-customer');
  expect((await swept()).readBack).toBe(0);
  await house.advance(HOUR_MS + 10_000);
  expect((await swept()).readBack).toBe(1);
  expect((await swept()).readBack).toBe(0);
  await house.advance(24 * HOUR_MS);
  expect((await swept()).readBack).toBe(1);
  expect(await cases()).toEqual([]);
});

test('a double is found, and its refund proposed', async () => {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, 'start-subscription');
  const charged = house.stub.things.find(({ params }) => params['step'] === 'start-subscription');
  house.stub.things.push({ ...charged!, id: 'thing_double' });
  await house.advance(HOUR_MS + 10_000);
  expect((await swept()).cases).toBe(1);
  const [found] = await house.db.selectFrom('cases').selectAll().execute();
  expect(found).toMatchObject({
    kind: 'double',
    text: expect.stringMatching(/thing_double.*refund 19\.00 USD/) as unknown,
  });
});

test('a double that is found together with the first is not missed', async () => {
  const runId = await admitted(house);
  house.stub.faults.set('create-customer', ['slow-act']);
  await perform(house, runId, 'create-customer').catch(() => undefined);
  house.stub.releaseSlow();
  for (const id of ['thing_second', 'thing_third'])
    house.stub.things.push({ ...house.stub.things[0]!, id });
  await house.advance(HOUR_MS + 10_000);
  expect((await swept()).cases).toBe(2);
  expect(await cases()).toEqual(['double', 'double']);
});

test('what cannot be read has its turn, and then holds up nobody', async () => {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, 'link-account');
  await house.advance(HOUR_MS + 10_000);
  const [first] = await effectsDue(house.db, 1);
  expect(first?.step).toBe('create-customer');
  await house.parts.door.startRead(first!.effectId);
  expect((await effectsDue(house.db, 1))[0]?.step).toBe('link-account');
  expect(await effectsDue(house.db)).toHaveLength(2);
});

test('an effect that breaks the sweep’s own code is a case, and the others are read', async () => {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, 'link-account');
  await house.advance(HOUR_MS + 10_000);
  const effects = new Map([...house.parts.effects].filter(([name]) => name !== 'customers.create'));
  expect(await swept({}, { ...house.parts, effects })).toMatchObject({ readBack: 1, unread: 1 });
  expect(await cases()).toEqual(['unreadable']);
});

test('what turns up after a row was closed as never happened opens a case', async () => {
  const runId = await admitted(house);
  house.stub.faults.set('create-customer', ['slow-act']);
  await perform(house, runId, 'create-customer').catch(() => undefined);
  await house.gateway.recordFailure(runId, 'create-customer', 'OUTCOME_UNKNOWN', 'gave up');
  await house.gateway.closeDoor(runId, { kind: 'failure', step: 'create-customer' });
  expect(await reversed(house, runId, 'create-customer')).toMatchObject({
    report: { outcome: 'never-happened' },
  });
  house.stub.releaseSlow();
  await house.advance(HOUR_MS + 10_000);
  await swept();
  expect(await cases()).toEqual(['late-success', 'double']);
});

test.each(['TERMINATED', 'FAILED', 'TIMED_OUT'] as const)(
  'a run that Temporal says was %s is repaired, and that is the cause on record',
  async (status) => {
    const runId = await admitted(house);
    await perform(house, runId, 'create-customer');
    await house.advance(2 * 60_000);
    await expect(
      house.gateway.closeDoor(runId, { kind: 'temporal', status }),
    ).rejects.toMatchObject({ code: 'NO_CAUSE' });
    statuses.set(runId, status);
    expect((await swept()).repairs).toEqual([runId]);
    expect(repairs).toEqual([`${runId} ${status}`]);
    const { steps } = await house.gateway.closeDoor(runId, { kind: 'temporal', status });
    for (const step of steps) await reversed(house, runId, step);
    expect(living(house)).toEqual([]);
  },
);

test('a run that Temporal does not know opens a case and starts nothing', async () => {
  const runId = await admitted(house);
  await house.advance(2 * 60_000);
  statuses.set(runId, 'NOT_FOUND');
  await swept();
  await swept();
  expect(repairs).toEqual([]);
  expect(await cases()).toEqual(['run-lost']);
});

test('more than three new repairs at once start none: a person looks first', async () => {
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
    await admitted(house, name);
    statuses.set(name, 'TERMINATED');
  }
  await house.advance(2 * 60_000);
  await swept();
  expect(repairs).toEqual([]);
  expect(await cases()).toEqual(['many-repairs']);
  // A person has looked, and signs for two of them; of the others nothing is concluded.
  for (const name of ['a', 'c']) expect(await ordered(name)).toMatchObject({ accepted: true });
  expect(await ordered('b', { action: 'give-up' })).toMatchObject({ accepted: false });
  await swept();
  expect(repairs).toEqual(['a TERMINATED', 'c TERMINATED']);
});

test('a run that Temporal has lost is taken back once a person has signed for it', async () => {
  const runId = await admitted(house);
  statuses.set(runId, 'NOT_FOUND');
  await house.advance(2 * 60_000);
  await swept();
  expect(repairs).toEqual([]);
  await ordered(runId);
  await swept();
  expect(repairs).toEqual([`${runId} LOST`]);
  await house.parts.door.closeDoor({ runId, cause: { kind: 'temporal', status: 'LOST' } });
});

/** A signed word that the clean-up of a run is to be tried. */
async function ordered(
  runId: string,
  change: Partial<ResolveStatement> = {},
  by: Signer = house.ada,
) {
  const statement = {
    type: 'countersign.resolve.v1' as const,
    instance: house.instance,
    runId,
    step: 'create-customer' as const,
    action: 'retry' as const,
    by: by.person,
    keyId: by.keyId,
    reason: 'looked at it',
    at: (await databaseNow(house.db)).toISOString(),
    ...change,
  };
  return orderRepair(house.parts, {
    ...statement,
    signature: signStatement(statement, by.seed),
  });
}

test('another namespace or cluster than the one on record sweeps nothing', async () => {
  const runId = await admitted(house);
  await house.advance(2 * 60_000);
  await swept();
  statuses.set(runId, 'TERMINATED');
  await swept({ cluster: 'c2' });
  await swept({ namespace: 'other' });
  expect(repairs).toEqual([]);
  expect(await cases()).toEqual(['temporal-identity']);
});

test.each([
  ['all', true],
  ['agent/launch-agent', true],
  ['principal/pr_owner', true],
  ['provider/stripe', true],
  ['run/launch', true],
  ['run/other', false],
  ['agent/other', false],
] as const)('a stop over %s reaches the run: %s', async (scope, reaches) => {
  const runId = await admitted(house);
  const gate = await opened(house, runId, 'plan');
  const record = await stop(house.parts, { scope, reason: 'test', by: 'p_ada', proven: true });
  expect(record.scope).toBe(scope);
  const outcome = await perform(house, runId, 'create-customer').then(
    () => 'done',
    (error: unknown) => (error as { code: string }).code,
  );
  expect(outcome).toBe(reaches ? 'FENCED' : 'done');
  expect((await house.gateway.gateStatus(runId, gate.gateId)).state).toBe(
    reaches ? 'void' : 'open',
  );
});

test('what is on the wire when a stop comes is listed until it has surely ended', async () => {
  const runId = await admitted(house);
  house.stub.faults.set('create-customer', ['slow-act']);
  let resolveSent: () => void = () => undefined;
  const sent = new Promise<void>((resolve) => {
    resolveSent = resolve;
  });
  const sending = house.gateway.perform(
    runId,
    'create-customer',
    sender((name) => {
      if (name === 'before-send') resolveSent();
    }),
  );
  await Promise.race([sent, sending.catch(() => undefined)]);
  const record = await stop(house.parts, { scope: 'all', reason: 'now', by: 'x', proven: false });
  expect(record.drainedAt).toBeUndefined();
  expect(record.onTheWire).toHaveLength(1);
  await sending.catch(() => undefined);
  await house.advance(10_000);
  expect((await house.parts.door.drained('all')).drainedAt).toBeDefined();
});

test('a stop over no known scope is refused', async () => {
  await expect(
    stop(house.parts, { scope: 'everything', reason: 'x', by: 'x', proven: false }),
  ).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
});
