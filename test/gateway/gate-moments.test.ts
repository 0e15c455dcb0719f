import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { gateSchema } from '../../domain/documents.js';
import type { RunId } from '../../domain/ids.js';
import type { OpenGate } from '../../domain/plan.js';
import { insertGate } from '../../store/gate-rows.js';
import { sweepGates } from '../../gateway/gate-moments.js';
import { stop } from '../../gateway/stop.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { admitted, decisionOf, opened, openHouse } from './house.js';
import type { House } from './house.js';

const HOUR_MS = 3_600_000;

let house: House;
beforeEach(async () => {
  // A gate stays open for 24 h: reminder at 12 h, escalation at 18 h.
  house = await openHouse(
    trialPolicy({ override: { escalation: { atPercent: 75, to: ['directors', 'p_cy'] } } }),
  );
});
afterEach(async () => {
  await house.close();
});

interface Told {
  readonly kind: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** What was told of gates: the plan also reaches half of its cap, which test/door/money looks at. */
const notices = async (): Promise<Told[]> =>
  house.db
    .selectFrom('notices')
    .select(['kind', 'payload'])
    .where('kind', '<>', 'cap-alert')
    .orderBy('notice_id')
    .execute();
const kinds = async (): Promise<string[]> => (await notices()).map(({ kind }) => kind);
const status = (runId: RunId, gate: OpenGate) => house.gateway.gateStatus(runId, gate.gateId);
const logged = async (): Promise<string[]> =>
  (await house.db.selectFrom('log').select('kind').orderBy('idx').execute()).map(
    ({ kind }) => kind,
  );

test('a gate tells as it opens who asks, for how much, until when and who may answer, by ids alone', async () => {
  const runId = await admitted(house);
  const gate = await opened(house, runId, 'plan');
  expect(await notices()).toEqual([
    {
      kind: 'gate-opened',
      payload: {
        gateId: gate.gateId,
        gate: 'plan',
        revision: 1,
        environment: 'development',
        requester: 's_local',
        agent: 'launch-agent',
        owner: 'p_owner',
        totalMaxMinor: 1900,
        currency: 'USD',
        steps: ['link-account', 'start-subscription'],
        asked: [{ group: 'approvers', count: 1 }],
        expiresAt: gateSchema.parse(JSON.parse(gate.document)).expiresAt,
      },
    },
  ]);
});

test('a gate whose transaction is undone has told nobody, and one that stands has', async () => {
  const runId = await admitted(house);
  await opened(house, runId, 'plan');
  const row = await house.db.selectFrom('gates').selectAll().executeTakeFirstOrThrow();
  // What opens the next revision fails after the gate was written: neither it nor its notice is there.
  await sql`create function refuse_gate() returns trigger language plpgsql as $$
    begin raise exception 'no'; end $$`.execute(house.db);
  await sql`create constraint trigger no_gate after insert on gates deferrable initially deferred
    for each row execute function refuse_gate()`.execute(house.db);
  await house.db
    .updateTable('gates')
    .set({ state: 'void' })
    .where('gate_id', '=', row.gate_id)
    .execute();
  await expect(house.gateway.openGate(runId, 'plan')).rejects.toThrow();
  expect(await kinds()).toEqual(['gate-opened']);
  await sql`drop trigger no_gate on gates`.execute(house.db);
  await opened(house, runId, 'plan');
  expect(await kinds()).toEqual(['gate-opened', 'gate-opened']);
});

test('the next moment is the reminder at half, the escalation at three quarters, then the end', async () => {
  const runId = await admitted(house);
  const gate = await opened(house, runId, 'plan');
  const nextHours = async (): Promise<number> => {
    const seen = await status(runId, gate);
    if (seen.state !== 'open') throw new Error(`it is ${seen.state}`);
    return Math.round((seen.nextMs ?? 0) / HOUR_MS);
  };
  expect(await nextHours()).toBe(12);
  await house.advance(12 * HOUR_MS);
  expect(await nextHours()).toBe(6);
  await house.advance(6 * HOUR_MS);
  expect(await nextHours()).toBe(6);
  await house.advance(6 * HOUR_MS);
  expect(await status(runId, gate)).toEqual({ state: 'expired' });
  expect(await kinds()).toEqual(['gate-opened', 'gate-reminder', 'gate-escalated', 'gate-expired']);
});

test('a reminder is told once, however often and by however many it is asked for', async () => {
  const runId = await admitted(house);
  const gate = await opened(house, runId, 'plan');
  await house.advance(12 * HOUR_MS);
  await Promise.all([
    ...Array.from({ length: 4 }, () => status(runId, gate)),
    ...Array.from({ length: 4 }, () => sweepGates(house.parts)),
  ]);
  await status(runId, gate);
  expect(await kinds()).toEqual(['gate-opened', 'gate-reminder']);
  expect((await logged()).filter((kind) => kind === 'gate-reminder')).toHaveLength(1);
});

test.each([
  ['the reminder', 12, ['gate-reminder']],
  ['reminder and escalation', 18, ['gate-reminder', 'gate-escalated']],
  ['all three', 24, ['gate-expired']],
] as const)(
  'with no worker across %s, the sweep alone passes what has come, once',
  async (_what, hours, told) => {
    const runId = await admitted(house);
    const gate = await opened(house, runId, 'plan');
    await house.advance(hours * HOUR_MS);
    await sweepGates(house.parts);
    await sweepGates(house.parts);
    expect(await kinds()).toEqual(['gate-opened', ...told]);
    const row = await house.db.selectFrom('gates').selectAll().executeTakeFirstOrThrow();
    expect([row.state, row.reminded_at === null, row.escalated_at === null]).toEqual([
      hours === 24 ? 'expired' : 'open',
      hours === 24,
      hours !== 18,
    ]);
    // What the worker finds when it is back is the same.
    expect((await status(runId, gate)).state).toBe(row.state);
    expect(await kinds()).toEqual(['gate-opened', ...told]);
  },
);

test('nothing is told a second before its moment', async () => {
  const runId = await admitted(house);
  await opened(house, runId, 'plan');
  const row = await house.db.selectFrom('gates').selectAll().executeTakeFirstOrThrow();
  const half = (row.opened_at.getTime() + row.expires_at.getTime()) / 2;
  expect(row.remind_at?.getTime()).toBe(half);
  const { rows } = await sql<{ ms: number }>`
    select (extract(epoch from remind_at - countersign_now()) * 1000)::bigint as ms from gates`.execute(
    house.db,
  );
  // A second stays for the statements in between.
  await house.advance(Number(rows[0]?.ms) - 1_000);
  await sweepGates(house.parts);
  expect(await kinds()).toEqual(['gate-opened']);
});

test('a gate whose notice cannot be written is not opened, and one that is not opened is not told of', async () => {
  const runId = await admitted(house);
  await sql`alter table notices add constraint nothing check (kind <> 'gate-opened') not valid`.execute(
    house.db,
  );
  await expect(house.gateway.openGate(runId, 'plan')).rejects.toThrow('nothing');
  expect(await house.db.selectFrom('gates').select('gate_id').execute()).toEqual([]);
  await sql`alter table notices drop constraint nothing`.execute(house.db);
  await stop(house.parts, { scope: `run/${runId}`, reason: 'x', by: 'p_ada', proven: true });
  await expect(house.gateway.openGate(runId, 'plan')).rejects.toMatchObject({ code: 'FENCED' });
  expect(await kinds()).not.toContain('gate-opened');
});

test('an escalation names whom it tells, and lets none of them approve', async () => {
  await house.db
    .insertInto('persons')
    .values({ person_id: 'p_cy', name: 'Cy', groups: ['directors'], created_at: new Date() })
    .execute();
  await house.db
    .updateTable('keys')
    .set({ label: 'x' })
    .where('key_id', '=', house.bob.keyId)
    .execute();
  await house.db
    .updateTable('persons')
    .set({ groups: ['directors'] })
    .where('person_id', '=', 'p_bob')
    .execute();
  const runId = await admitted(house);
  const gate = await opened(house, runId, 'plan');
  await house.advance(18 * HOUR_MS);
  await sweepGates(house.parts);
  expect((await notices()).at(-1)).toMatchObject({
    kind: 'gate-escalated',
    payload: { gateId: gate.gateId, to: ['directors', 'p_cy'] },
  });
  const decision = await decisionOf(house, gate, house.bob);
  expect(await house.gateway.recordDecision(runId, decision, 'signal')).toMatchObject({
    accepted: false,
    reason: 'not-in-group',
  });
});

test('the moments of a gate are written once', async () => {
  const runId = await admitted(house);
  await opened(house, runId, 'plan');
  await house.advance(12 * HOUR_MS);
  await sweepGates(house.parts);
  for (const change of [{ reminded_at: null }, { remind_at: null }, { escalate_at: new Date() }])
    await expect(house.db.updateTable('gates').set(change).execute()).rejects.toThrow(
      'written once',
    );
});

test('granted, rejected and void gates tell so once, and no reminder follows', async () => {
  const [one, two, three] = [
    await admitted(house, 'one'),
    await admitted(house, 'two'),
    await admitted(house, 'three'),
  ];
  for (const [runId, decision] of [
    [one, 'approve'],
    [two, 'reject'],
  ] as const) {
    const gate = await opened(house, runId, 'plan');
    const message = await decisionOf(house, gate, house.ada, { decision, reason: 'words of Ada' });
    await house.gateway.recordDecision(runId, message, 'signal');
  }
  await opened(house, three, 'plan');
  await stop(house.parts, { scope: 'run/three', reason: 'x', by: 'p_ada', proven: true });
  await house.advance(20 * HOUR_MS);
  await sweepGates(house.parts);
  const told = await notices();
  expect(told.map(({ kind }) => kind).filter((kind) => kind.startsWith('gate-'))).toEqual([
    'gate-opened',
    'gate-granted',
    'gate-opened',
    'gate-rejected',
    'gate-opened',
    'gate-void',
  ]);
  const granted = told.find(({ kind }) => kind === 'gate-granted');
  expect(granted?.payload).toMatchObject({ by: 'p_ada' });
  // A person's own words stay in the record.
  expect(JSON.stringify(told)).not.toContain('words of Ada');
});

test('a gate from before there were moments still ends in time', async () => {
  const runId = await admitted(house);
  await opened(house, runId, 'plan');
  const row = await house.db.selectFrom('gates').selectAll().executeTakeFirstOrThrow();
  const { state, reason, closed_by, closed_at, reminded_at, escalated_at, ...old } = row;
  expect([state, reason, closed_by, closed_at, reminded_at, escalated_at]).toEqual([
    'open',
    ...Array.from({ length: 5 }, () => null),
  ]);
  const gateId = 'provision/launch:plan:2';
  await insertGate(house.db, {
    ...old,
    gate_id: gateId,
    revision: 2,
    document: old.document.replace('plan:1', 'plan:2'),
    digest: `sha256:${'1'.repeat(64)}`,
    remind_at: null,
    escalate_at: null,
  });
  await house.advance(23 * HOUR_MS);
  await sweepGates(house.parts);
  expect(await kinds()).toEqual(['gate-opened']);
  await house.advance(HOUR_MS);
  await sweepGates(house.parts);
  expect(await kinds()).toEqual(['gate-opened', 'gate-expired']);
});
