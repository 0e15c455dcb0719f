import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import type { Digest } from '../../domain/ids.js';
import type { AuthorizeAsk } from '../../gateway/door-contract.js';
import { advanceClock } from '../../store/clock.js';
import { activatePolicy } from '../../store/policies.js';
import { casesOf, closing, STEPS, type Case } from './cases.js';
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
} from './seed.js';
import { without } from './without.js';

let scratch: Scratch;
const { authorize, closeDoor, newCase, paidAndUndone, policyNow } = casesOf(() => scratch);

beforeAll(async () => {
  scratch = await openScratch();
});
afterAll(async () => {
  await scratch.close();
});

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
test('digests of different steps and versions differ', () => {
  const run = { runId: 'run' as never, steps: [] };
  const digests: Digest[] = [1, 2].flatMap((version) =>
    STEPS.map(({ step }) => digestFor(run, step, version)),
  );
  expect(new Set(digests).size).toBe(4);
});
