import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import type { Digest, GateId } from '../../domain/ids.js';
import type { AuthorizeAsk, DoorAnswer } from '../../gateway/door-contract.js';
import { advanceClock } from '../../store/clock.js';
import { activatePolicy } from '../../store/policies.js';
import {
  askFor,
  decisionOf,
  digestFor,
  now,
  openScratch,
  seedPlan,
  seedRun,
  sha,
  type Scratch,
  type SeededRun,
} from './seed.js';
import { without } from './without.js';

const STEPS = [
  { step: 'create-customer', provider: 'stripe', costMinor: 100 },
  { step: 'register-domain', provider: 'cloudflare', costMinor: 200 },
] as const;

let scratch: Scratch;

beforeAll(async () => {
  scratch = await openScratch();
});
afterAll(async () => {
  await scratch.close();
});

interface Case {
  readonly run: SeededRun;
  readonly gateId: GateId;
  readonly ask: AuthorizeAsk;
}

async function newCase(of: { readonly granted?: boolean } = {}): Promise<Case> {
  const run = await seedRun(scratch, STEPS, 'door');
  const gateId = await seedPlan(scratch, run, 1, of);
  return { run, gateId, ask: askFor(scratch, run, 'create-customer', { gateId }) };
}

const reason = (answer: DoorAnswer): string =>
  answer.verdict === 'refused' ? answer.reason : answer.verdict;
const authorize = async (ask: AuthorizeAsk): Promise<string> =>
  reason(await scratch.door.authorize(ask));
const succeed = (ask: AuthorizeAsk, capturedMinor: number, object = 'cus_1') =>
  scratch.door.settle({
    effectId: ask.effectId,
    attempt: 1,
    outcome: 'succeeded',
    object,
    fields: { id: object },
    capturedMinor,
    evidence: { status: 200 },
  });

async function closeDoor({ run }: Case): Promise<void> {
  await sql`insert into temporal_ends values (${run.runId}, 'TERMINATED', countersign_now())
    on conflict do nothing`.execute(scratch.db);
  const cause = { kind: 'temporal', status: 'TERMINATED' } as const;
  await scratch.door.closeDoor({ runId: run.runId, cause });
}

const refusalsOf = async (runId: string): Promise<string[]> => {
  const rows = await scratch.db
    .selectFrom('refusals')
    .select('reason')
    .where('run_id', '=', runId)
    .orderBy('id')
    .execute();
  return rows.map((row) => row.reason);
};

describe('authorize refuses, and logs by reason', () => {
  test.each<[string, string, (of: Case) => Promise<AuthorizeAsk> | AuthorizeAsk]>([
    ['a run that nobody admitted', 'NO_RUN', ({ ask }) => ({ ...ask, runId: 'nobody' as never })],
    [
      'a step of another effect id',
      'NOT_PLANNED',
      ({ ask, run }) => ({
        ...ask,
        effectId: `${scratch.instance}/${run.runId}/deploy-site/act` as never,
      }),
    ],
    ['a step that the plan lacks', 'NOT_PLANNED', ({ ask }) => ({ ...ask, step: 'deploy-site' })],
    ['another digest', 'DIGEST_MISMATCH', ({ ask }) => ({ ...ask, digest: sha('another') })],
    ['one cent more', 'DIGEST_MISMATCH', ({ ask }) => ({ ...ask, costMaxMinor: 101 })],
    ['another currency', 'DIGEST_MISMATCH', ({ ask }) => ({ ...ask, currency: 'EUR' })],
    [
      'a gate of another run',
      'NO_GRANT',
      async ({ ask }) => ({ ...ask, gateId: (await newCase()).gateId }),
    ],
    ['no gate where the plan asks for one', 'NO_GRANT', ({ ask }) => withoutGate(ask)],
    ['no decision', 'NO_GRANT', ({ ask }) => ({ ...ask, decisions: [] })],
    [
      'a decision that is not on record',
      'NO_GRANT',
      ({ ask }) => ({ ...ask, decisions: [sha('x')] }),
    ],
    [
      'a decision upon another gate',
      'NO_GRANT',
      async ({ ask }) => ({ ...ask, decisions: [decisionOf((await newCase()).gateId)] }),
    ],
    ['a policy that is not in force', 'POLICY_MOVED', ({ ask }) => ({ ...ask, policyVersion: 7 })],
    [
      'more than a cap has room for',
      'CAP',
      ({ ask }) => ({ ...ask, caps: [{ scope: 'small', capMinor: 99 }] }),
    ],
  ])('%s', async (_, expected, change) => {
    const of = await newCase();
    const ask = await change(of);
    expect(await authorize(ask)).toBe(expected);
    expect(await scratch.door.row(ask.effectId)).toBeUndefined();
    expect(await refusalsOf(ask.runId)).toEqual([expected]);
  });

  test('a gate that is open, then rejected', async () => {
    const { ask, gateId } = await newCase({ granted: false });
    expect(await authorize(ask)).toBe('GATE_CLOSED');
    await sql`update gates set state = 'rejected' where gate_id = ${gateId}`.execute(scratch.db);
    expect(await authorize(ask)).toBe('GATE_CLOSED');
    await expect(
      sql`update gates set state = 'granted' where gate_id = ${gateId}`.execute(scratch.db),
    ).rejects.toThrow('cannot become');
  });

  test('a gate whose time has come, by the clock of the database', async () => {
    const { ask } = await newCase();
    await advanceClock(scratch.db, 91 * 24 * 3_600_000);
    expect(await authorize(ask)).toBe('GATE_EXPIRED');
  });

  test('a run that has used its operations up', async () => {
    const { ask, run } = await newCase();
    await sql`update runs set operations_max = 0 where run_id = ${run.runId}`.execute(scratch.db);
    expect(await authorize(ask)).toBe('OPERATIONS_USED_UP');
  });

  test('an autonomous tier needs no gate, and only that', async () => {
    const run = await seedRun(scratch, [{ ...STEPS[0], costMinor: 0 }], 'door');
    const gateId = await seedPlan(scratch, run, 1);
    const ask = withoutGate(askFor(scratch, run, 'create-customer', { gateId }));
    await sql`insert into plans select run_id, 2, plan, digest || 2, quote, policy_version, 0, created_at
      from plans where run_id = ${run.runId}`.execute(scratch.db);
    await sql`insert into plan_steps (run_id, revision, step, position, kind, tier, digest, provider)
      values (${run.runId}, 2, 'create-customer', 0, 'act', 'autonomous', ${ask.digest}, 'stripe')`.execute(
      scratch.db,
    );
    expect(await authorize(ask)).toBe('NO_GRANT');
    await sql`update runs set plan_revision = 2 where run_id = ${run.runId}`.execute(scratch.db);
    expect(await authorize(ask)).toBe('granted');
  });
});

/** With the guard in, the body answers `held`; with it out, `broken`. */
test.each<[string, string, string, () => Promise<string>]>([
  [
    'policy-version',
    'POLICY_MOVED',
    'granted',
    async () => {
      const { ask } = await newCase();
      const version = await activatePolicy(scratch.db, {
        digest: sha(`policy ${Math.random()}`),
        document: '{}',
        activatedBy: 'p_ada',
      });
      return authorize({ ...ask, policyVersion: version - 1 });
    },
  ],
  [
    'key-revoked',
    'KEY_REVOKED',
    'granted',
    async () => {
      const { ask, gateId } = await newCase();
      const id = sha(gateId);
      await sql`insert into keys (key_id, person_id, public_key, enrolled_at, active_from, revoked_at,
        revoked_as) values (${id}, 'p_ada', ${id}, ${now}, ${now}, ${now}, 'retired')`.execute(
        scratch.db,
      );
      await sql`insert into decisions (digest, gate_id, run_id, person_id, key_id, decision, statement,
        accepted, road, recorded_at) values (${id}, ${gateId}, ${ask.runId}, 'p_bob', ${id}, 'approve',
        '{}', true, 'signal', ${now})`.execute(scratch.db);
      return authorize({ ...ask, decisions: [id], policyVersion: await policyNow() });
    },
  ],
  [
    'grant-once',
    'GRANT_USED',
    'granted',
    async () => {
      const { ask, gateId } = await newCase();
      await sql`insert into grant_uses values (${gateId}, ${ask.digest}, 'another effect', ${now})`.execute(
        scratch.db,
      );
      return authorize({ ...ask, policyVersion: await policyNow() });
    },
  ],
  [
    'cause',
    'NO_CAUSE',
    'closed',
    async () => {
      const { run } = await newCase();
      return scratch.door
        .closeDoor({ runId: run.runId, cause: { kind: 'failure', step: 'create-customer' } })
        .then(() => 'closed', codeOf);
    },
  ],
  [
    'undo-bounds',
    '200 given back for',
    // Without it nothing but the balance's own check (a constraint, 23514) is left to notice.
    '23514',
    async () => {
      const of = await paidAndUndone(100);
      return scratch.door
        .closeRow({ ...closing(of), outcome: 'reversed', refundedMinor: 200 })
        .then(() => 'closed', codeOf);
    },
  ],
  [
    'close-absent',
    'BUSY',
    'closed',
    async () => {
      const of = await newCase();
      await scratch.door.authorize({ ...of.ask, policyVersion: await policyNow() });
      await closeDoor(of);
      await scratch.door.markClosing(of.run.runId, 'create-customer');
      return scratch.door
        .closeRow({ ...closing(of), outcome: 'never-happened' })
        .then(() => 'closed', codeOf);
    },
  ],
  [
    'resume-once',
    'still stopped',
    'lifted',
    async () => {
      const { run } = await newCase();
      const scope = `run/${run.runId}`;
      const stop = { scope, reason: 'test', by: 'p_ada', proven: true };
      // A digest is used once in all: each run of this test draws its own.
      const resume = { scope, by: 'p_ada', statementDigest: sha(scope) };
      await scratch.door.stop(stop);
      expect(await scratch.door.resume(resume)).toBe(true);
      await scratch.door.stop(stop);
      return scratch.door.resume(resume).then(
        (lifted) => (lifted ? 'lifted' : 'still stopped'),
        () => 'lifted',
      );
    },
  ],
])('the guard %s is needed', async (guard, held, broken, body) => {
  expect(await body()).toContain(held);
  expect(await without(scratch.db, [guard], body)).toBe(broken);
});

function withoutGate(ask: AuthorizeAsk): AuthorizeAsk {
  const copy = { ...ask };
  Reflect.deleteProperty(copy, 'gateId');
  return copy;
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && !error.message.includes('given back')
    ? String(error.code)
    : (error as Error).message;
const closing = ({ run }: Case) => ({
  runId: run.runId,
  step: 'create-customer' as const,
  refundedMinor: 0,
  residue: { minor: 0, text: '' },
});

async function policyNow(): Promise<number> {
  const { rows } = await sql<{ version: number }>`
    select max(version) as version from policies`.execute(scratch.db);
  return rows[0]?.version ?? 0;
}

/** A step that was paid for, of a run that is being unwound, with its reversal sent. */
async function paidAndUndone(minor: number): Promise<Case> {
  const of = await newCase();
  const ask = { ...of.ask, policyVersion: await policyNow() };
  expect(await authorize(ask)).toBe('granted');
  await succeed(ask, minor);
  await closeDoor(of);
  await scratch.door.markClosing(of.run.runId, 'create-customer');
  const undo = await scratch.door.authorizeUndo({
    runId: of.run.runId,
    step: 'create-customer',
    httpTimeoutMs: 1_000,
    sender: 'undoer',
  });
  expect(undo.verdict).toBe('granted');
  return of;
}

const balanceOf = async (of: Case) =>
  scratch.db
    .selectFrom('balances')
    .select(['reserved_minor', 'captured_minor'])
    .where('scope', '=', `run:${of.run.runId}`)
    .orderBy('month')
    .execute();

describe('money', () => {
  test('what was not used of a reservation goes back when the charge is known', async () => {
    const of = await newCase();
    await authorize({ ...of.ask, policyVersion: await policyNow() });
    expect(await balanceOf(of)).toEqual([{ reserved_minor: 100, captured_minor: 0 }]);
    await succeed(of.ask, 60);
    await succeed(of.ask, 60);
    expect(await balanceOf(of)).toEqual([{ reserved_minor: 0, captured_minor: 60 }]);
  });

  test('a charge above its reservation is booked in full, fences the run and opens a case', async () => {
    const of = await newCase();
    await authorize({ ...of.ask, policyVersion: await policyNow() });
    const settled = await succeed(of.ask, 130);
    expect(settled.caseOpened).toContain('130 USD where 100');
    expect(await balanceOf(of)).toEqual([{ reserved_minor: 0, captured_minor: 130 }]);
    expect(await scratch.door.fences(of.run.runId)).toMatchObject([
      { scope: `run/${of.run.runId}`, mode: 'unwind' },
    ]);
  });

  test('a refund gives room back in the same month, and none later', async () => {
    const same = await paidAndUndone(100);
    await scratch.door.closeRow({ ...closing(same), outcome: 'reversed', refundedMinor: 80 });
    expect(await balanceOf(same)).toEqual([{ reserved_minor: 0, captured_minor: 20 }]);
    const later = await paidAndUndone(100);
    await advanceClock(scratch.db, 32 * 24 * 3_600_000);
    await scratch.door.closeRow({ ...closing(later), outcome: 'reversed', refundedMinor: 80 });
    expect(await balanceOf(later)).toEqual([{ reserved_minor: 0, captured_minor: 100 }]);
  });

  test('what renews is reserved first in the months it falls due', async () => {
    const of = await newCase();
    await sql`insert into commitments values (${'none'}, '{}', 'USD', 0, 'month', '2000-01')`
      .execute(scratch.db)
      .catch(() => undefined);
    const ask = { ...of.ask, policyVersion: await policyNow() };
    await authorize(ask);
    await sql`alter table plan_steps disable trigger plan_steps_rows`.execute(scratch.db);
    await sql`update plan_steps set renewal_minor = 950, renewal_interval = 'month'
      where run_id = ${of.run.runId}`.execute(scratch.db);
    await sql`alter table plan_steps enable trigger plan_steps_rows`.execute(scratch.db);
    await succeed(ask, 100);
    await advanceClock(scratch.db, 32 * 24 * 3_600_000);
    const caps = ask.caps;
    const other = await newCase();
    const next = { ...other.ask, caps, policyVersion: await policyNow() };
    expect(await authorize(next)).toBe('CAP');
  });
});

describe('rows', () => {
  test('the same object again changes nothing, another one opens a case', async () => {
    const of = await newCase();
    await authorize({ ...of.ask, policyVersion: await policyNow() });
    expect((await succeed(of.ask, 100)).caseOpened).toBeUndefined();
    expect((await succeed(of.ask, 100)).caseOpened).toBeUndefined();
    expect((await succeed(of.ask, 100, 'cus_2')).caseOpened).toContain('cus_2');
    expect((await scratch.door.row(of.ask.effectId))?.object).toBe('cus_1');
  });

  test('a success on a row that failed opens a case and fences the run', async () => {
    const of = await newCase();
    await authorize({ ...of.ask, policyVersion: await policyNow() });
    await scratch.door.settle({
      effectId: of.ask.effectId,
      attempt: 1,
      outcome: 'stored-final',
      evidence: { status: 402 },
    });
    expect((await succeed(of.ask, 100)).caseOpened).toContain('failed');
    expect(await scratch.door.fences(of.run.runId)).toMatchObject([
      { scope: `run/${of.run.runId}`, mode: 'unwind' },
    ]);
  });

  test('a declined charge is claimed under a new key at once, with the same grant', async () => {
    const of = await newCase();
    const ask = { ...of.ask, policyVersion: await policyNow() };
    await authorize(ask);
    await scratch.door.settle({
      effectId: ask.effectId,
      attempt: 1,
      outcome: 'stored-final',
      evidence: { status: 402 },
    });
    const claim = await scratch.door.claim({ ...ask, attempt: 1, sender: 'second' });
    expect(claim).toMatchObject({ verdict: 'granted', attempt: 2, epoch: 1 });
    expect(await balanceOf(of)).toEqual([{ reserved_minor: 100, captured_minor: 0 }]);
  });

  test('a row that is claimed makes a second sender wait', async () => {
    const of = await newCase();
    const ask = { ...of.ask, policyVersion: await policyNow() };
    await authorize(ask);
    const claim = await scratch.door.claim({ ...ask, attempt: 1, sender: 'second' });
    expect(claim).toMatchObject({ verdict: 'wait', row: { state: 'claimed' } });
    expect(claim.verdict === 'wait' ? claim.waitMs : 0).toBeGreaterThan(50_000);
  });

  test('a reversal needs a closed door and the settled object of a forward row', async () => {
    const of = await newCase();
    const undo = { runId: of.run.runId, httpTimeoutMs: 1_000, sender: 'undoer' };
    const ask = { ...of.ask, policyVersion: await policyNow() };
    await authorize(ask);
    await succeed(ask, 100);
    expect(reason(await scratch.door.authorizeUndo({ ...undo, step: 'create-customer' }))).toBe(
      'NO_CAUSE',
    );
    await expect(scratch.door.markClosing(of.run.runId, 'create-customer')).rejects.toThrow(
      'not closed',
    );
    await closeDoor(of);
    expect(reason(await scratch.door.authorizeUndo({ ...undo, step: 'register-domain' }))).toBe(
      'NO_CAUSE',
    );
    await scratch.door.markClosing(of.run.runId, 'register-domain');
    expect(reason(await scratch.door.authorizeUndo({ ...undo, step: 'register-domain' }))).toBe(
      'NO_CAUSE',
    );
    expect(await scratch.door.finish(of.run.runId, 'test')).toBe('not-all-closed');
  });

  test('a completed run is undone by nobody, and stays completed', async () => {
    const run = await seedRun(scratch, [STEPS[0]], 'door');
    const gateId = await seedPlan(scratch, run, 1);
    const version = await policyNow();
    const ask = askFor(scratch, run, 'create-customer', { gateId, policyVersion: version });
    expect(await scratch.door.complete(run.runId)).toBe('not-all-succeeded');
    await authorize(ask);
    await succeed(ask, 100);
    expect(await scratch.door.complete(run.runId)).toBe('completed');
    expect(await scratch.door.complete(run.runId)).toBe('completed');
    await expect(closeDoor({ run, gateId, ask })).rejects.toThrow('has completed');
    expect(await scratch.door.finish(run.runId, 'test')).toBe('door-open');
  });

  test('a row closed by hand needs a signed resolution on record', async () => {
    const of = await newCase();
    await authorize({ ...of.ask, policyVersion: await policyNow() });
    await closeDoor(of);
    await scratch.door.markClosing(of.run.runId, 'create-customer');
    const byHand = { ...closing(of), outcome: 'done-by-hand' } as const;
    await expect(scratch.door.closeRow(byHand)).rejects.toThrow('nobody has signed');
    await sql`insert into resolutions values (${sha(of.run.runId)}, ${of.run.runId}, 'create-customer',
      'done-by-hand', 'p_ada', 'key-of-ada', '{}', 's', true, 'done', ${now})`.execute(scratch.db);
    await scratch.door.closeRow(byHand);
    expect((await scratch.door.row(of.ask.effectId))?.outcome).toBe('done-by-hand');
  });
});

test('digests of different steps and versions differ', () => {
  const run = { runId: 'run' as never, steps: [] };
  const digests: Digest[] = [1, 2].flatMap((version) =>
    STEPS.map(({ step }) => digestFor(run, step, version)),
  );
  expect(new Set(digests).size).toBe(4);
});
