import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { canonicalize, digestOf } from '../../domain/canonical.js';
import type { EffectStep } from '../../domain/steps.js';
import { Failure } from '../../domain/errors.js';
import { perform as performWith } from '../../gateway/perform.js';
import type { RunId } from '../../domain/ids.js';
import {
  admitted,
  approved,
  claimOf,
  HTTP_TIMEOUT_MS,
  living,
  opened,
  openHouse,
  perform,
  performedUpTo,
  refusals,
  sender,
  SETTLING_MS,
} from './house.js';
import type { House } from './house.js';

const HOUR_MS = 3_600_000;

let house: House;
beforeEach(async () => {
  house = await openHouse();
});
afterEach(async () => {
  await house.close();
});

const posts = (step: EffectStep) =>
  house.stub.requests.filter((request) => request.method === 'POST' && request.step === step);

/** Performs a step until it answers, moving the clock over each wait that it asks for; the codes on the way. */
async function persist(runId: RunId, step: EffectStep): Promise<string[]> {
  const codes: string[] = [];
  for (let round = 0; round < 12; round += 1) {
    try {
      await perform(house, runId, step);
      return codes;
    } catch (error) {
      const { code, retryAfterMs } = error as Failure;
      codes.push(code);
      await house.advance((retryAfterMs ?? 0) + 1);
    }
  }
  throw new Error(`${step}: ${codes.join(', ')}`);
}

/** A run whose next step is the registration, with its gate granted. */
async function beforeDomain(): Promise<RunId> {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, 'start-subscription');
  await approved(house, runId, 'register-domain');
  return runId;
}

test('a success is returned as recorded, without another call', async () => {
  const runId = await admitted(house);
  const first = await perform(house, runId, 'create-customer');
  const requests = house.stub.requests.length;
  expect(await perform(house, runId, 'create-customer')).toEqual(first);
  expect(house.stub.requests).toHaveLength(requests);
});

test('an answer of the door that was lost is asked for once more, and sends without a wait', async () => {
  const runId = await admitted(house);
  const { door } = house.parts;
  let lost = 0;
  const losing = {
    ...house.parts,
    door: {
      ...door,
      authorize: async (ask: Parameters<typeof door.authorize>[0]) => {
        const answer = await door.authorize(ask);
        lost += 1;
        if (lost === 1) throw new Failure('STORE_UNAVAILABLE', 'the connection broke');
        return answer;
      },
    },
  };
  await performWith(losing, runId, 'create-customer', sender());
  expect(lost).toBe(2);
  expect(posts('create-customer')).toHaveLength(1);
});

test('whoever became an owner while calls had to wait has approved nothing of it', async () => {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, 'link-account');
  let waitedMs = 0;
  const waiting = {
    ...house.parts,
    clocks: {
      wallMs: () => Date.now() + waitedMs,
      monotonicMs: () => performance.now() + waitedMs,
    },
    calls: {
      ...house.parts.calls,
      ready: async () => {
        await house.db
          .updateTable('agents')
          .set({ owner_person: house.ada.person })
          .where('agent_id', '=', 'launch-agent')
          .execute();
        waitedMs = 1_000;
      },
    },
  };
  await expect(performWith(waiting, runId, 'start-subscription', sender())).rejects.toMatchObject({
    code: 'GRANT_VOID',
  });
  expect(posts('start-subscription')).toEqual([]);
});

test('the request carries the effect’s own key and marker', async () => {
  const runId = await admitted(house);
  await perform(house, runId, 'create-customer');
  const marker = `${house.instance}/launch/create-customer/act`;
  expect(house.stub.things).toMatchObject([{ marker, key: `${marker}/0` }]);
});

test.each([
  [
    'a run that nobody admitted',
    'RUN_UNKNOWN',
    () => perform(house, 'nobody' as RunId, 'create-customer'),
  ],
  [
    'a run id of no known form',
    'REQUEST_INVALID',
    () => perform(house, 'Launch/../x' as RunId, 'create-customer'),
  ],
  [
    'a run without a plan',
    'OUT_OF_ORDER',
    async () => {
      await house.gateway.admit(claimOf(house, 'bare'));
      return perform(house, 'bare' as RunId, 'create-customer');
    },
  ],
  [
    'the pivot first',
    'OUT_OF_ORDER',
    async () => perform(house, await admitted(house), 'register-domain'),
  ],
  [
    'a step that the plan skips',
    'OUT_OF_ORDER',
    async () => perform(house, await admitted(house), 'configure-dns'),
  ],
  [
    'an action whose gate was never opened',
    'GATE_NEEDED',
    async () => {
      const runId = await admitted(house);
      await perform(house, runId, 'create-customer');
      return perform(house, runId, 'link-account');
    },
  ],
  [
    'an action whose gate is open',
    'GATE_NEEDED',
    async () => {
      const runId = await admitted(house);
      await perform(house, runId, 'create-customer');
      await opened(house, runId, 'plan');
      return perform(house, runId, 'link-account');
    },
  ],
  [
    'the domain on the grant of the plan',
    'GATE_NEEDED',
    async () => {
      const runId = await admitted(house);
      await approved(house, runId, 'plan');
      await performedUpTo(house, runId, 'start-subscription');
      return perform(house, runId, 'register-domain');
    },
  ],
] as const)('%s leads to no effect: %s', async (_what, code, road) => {
  const refused: unknown = await road().catch((thrown: unknown) => thrown);
  expect(refused).toMatchObject({ code });
  expect(living(house)).not.toContain('register-domain');
  expect((await refusals(house)).at(-1)).toMatch(/^perform /);
});

test.each([
  ['one character of the name', { domain_name: 'superseal.clvb' }, {}],
  ['one cent of the ceiling', {}, { costMaxMinor: 1121 }],
  ['one more year', { years: 2 }, {}],
  ['another currency', {}, { currency: 'EUR' }],
])(
  'a plan that was changed behind our back by %s is covered by no grant',
  async (_what, params, members) => {
    const runId = await beforeDomain();
    const row = await house.db
      .selectFrom('plans')
      .selectAll()
      .orderBy('revision', 'desc')
      .executeTakeFirstOrThrow();
    const plan = JSON.parse(row.plan) as {
      steps: { step: string; action?: { params: object }; actionDigest?: string }[];
    };
    for (const step of plan.steps)
      if (step.step === 'register-domain' && step.action !== undefined) {
        step.action = { ...step.action, ...members, params: { ...step.action.params, ...params } };
        step.actionDigest = digestOf(step.action);
      }

    await rewrite(row.revision, canonicalize(plan));
    await expect(perform(house, runId, 'register-domain')).rejects.toMatchObject({
      code: expect.stringMatching(/GRANT_VOID|GATE_NEEDED|POLICY_DENIED/) as unknown,
    });
    expect(living(house)).not.toContain('register-domain');
  },
);

/** Writes over an append-only row, as a writer with the owner's rights could. */
async function rewrite(revision: number, plan: string): Promise<void> {
  await sql`alter table plans disable trigger all`.execute(house.db);
  await sql`update plans set plan = ${plan} where revision = ${revision}`.execute(house.db);
  await sql`alter table plans enable trigger all`.execute(house.db);
}

test('act-then-drop on a keyed call: the same key again at once, and one charge', async () => {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, 'link-account');
  house.stub.faults.set('start-subscription', ['act-then-drop']);
  expect(await persist(runId, 'start-subscription')).toEqual(['OUTCOME_UNKNOWN']);
  expect(living(house).filter((step) => step === 'start-subscription')).toHaveLength(1);
});

test('every send is one of the operations of its run, a repeated one too, and none goes out above their number', async () => {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, 'link-account');
  const used = async (): Promise<number> => {
    const { operations } = await house.db
      .selectFrom('runs')
      .select('operations')
      .where('run_id', '=', runId)
      .executeTakeFirstOrThrow();
    return operations;
  };
  expect(await used()).toBe(2);
  house.stub.faults.set('start-subscription', ['decline']);
  await expect(perform(house, runId, 'start-subscription')).rejects.toMatchObject({
    code: 'PROVIDER_DECLINED',
  });
  await perform(house, runId, 'start-subscription');
  expect(posts('start-subscription')).toHaveLength(2);
  expect(await used()).toBe(4);
  await sql`update runs set operations_max = 4 where run_id = ${runId}`.execute(house.db);
  await approved(house, runId, 'register-domain');
  await expect(perform(house, runId, 'register-domain')).rejects.toMatchObject({
    code: 'BUDGET_EXCEEDED',
  });
  expect(posts('register-domain')).toEqual([]);
});

test('act-then-drop on a call without keys: found by reading back, never sent again', async () => {
  const runId = await beforeDomain();
  house.stub.faults.set('register-domain', ['act-then-drop']);
  expect(await persist(runId, 'register-domain')).toEqual(['OUTCOME_UNKNOWN']);
  expect(posts('register-domain')).toHaveLength(1);
  expect(living(house).filter((step) => step === 'register-domain')).toHaveLength(1);
});

test('a silent provider without keys is asked again only when the first request has surely done nothing', async () => {
  const runId = await beforeDomain();
  house.stub.faults.set('register-domain', ['hang']);
  const codes = await persist(runId, 'register-domain');
  // Lost, then two absences at different moments after the settling time.
  expect(codes.length).toBeGreaterThanOrEqual(3);
  expect(new Set(codes)).toEqual(new Set(['OUTCOME_UNKNOWN']));
  expect(posts('register-domain')).toHaveLength(2);
  expect(living(house).filter((step) => step === 'register-domain')).toHaveLength(1);
});

test('a request that acts late is found, and not sent again', async () => {
  const runId = await beforeDomain();
  house.stub.faults.set('register-domain', ['slow-act']);
  await expect(perform(house, runId, 'register-domain')).rejects.toMatchObject({
    code: 'OUTCOME_UNKNOWN',
  });
  await expect(perform(house, runId, 'register-domain')).rejects.toMatchObject({
    code: 'OUTCOME_UNKNOWN',
  });
  house.stub.releaseSlow();
  expect(await persist(runId, 'register-domain')).toEqual([]);
  expect(posts('register-domain')).toHaveLength(1);
});

test('with a key of 25 hours the charge is read back, not trusted to the key', async () => {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, 'link-account');
  house.stub.faults.set('start-subscription', ['act-then-drop']);
  await expect(perform(house, runId, 'start-subscription')).rejects.toMatchObject({
    code: 'OUTCOME_UNKNOWN',
  });
  house.stub.forgetKeys();
  await house.advance(25 * HOUR_MS);
  await perform(house, runId, 'start-subscription');
  expect(posts('start-subscription')).toHaveLength(1);
});

test('with a key of 25 hours and nothing done, a new key is taken only after the grant is renewed and absence is sure', async () => {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, 'link-account');
  house.stub.faults.set('start-subscription', ['hang']);
  await expect(perform(house, runId, 'start-subscription')).rejects.toMatchObject({
    code: 'OUTCOME_UNKNOWN',
  });
  house.stub.forgetKeys();
  await house.advance(25 * HOUR_MS);
  await expect(perform(house, runId, 'start-subscription')).rejects.toMatchObject({
    code: 'GRANT_VOID',
  });
  await approved(house, runId, 'plan');
  await persist(runId, 'start-subscription');
  expect(posts('start-subscription').map(({ key }) => key?.split('/').at(-1))).toEqual(['0', '1']);
  expect(living(house).filter((step) => step === 'start-subscription')).toHaveLength(1);
});

test('a declined card is final; mended, it is charged under a new key', async () => {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, 'link-account');
  house.stub.faults.set('start-subscription', ['decline']);
  await expect(perform(house, runId, 'start-subscription')).rejects.toMatchObject({
    code: 'PROVIDER_DECLINED',
  });
  await perform(house, runId, 'start-subscription');
  expect(posts('start-subscription').map(({ key }) => key?.split('/').at(-1))).toEqual(['0', '1']);
});

test('a stored 500 that had acted is found; one that had not gets a new key only when absence is sure', async () => {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, 'link-account');
  house.stub.faults.set('start-subscription', ['stored-500']);
  await persist(runId, 'start-subscription');
  expect(living(house).filter((step) => step === 'start-subscription')).toHaveLength(1);
  expect(posts('start-subscription').map(({ key }) => key?.split('/').at(-1))).toEqual(['0', '1']);
});

test('a refusal says nothing of the provider’s words', async () => {
  const runId = await admitted(house);
  house.stub.faults.set('create-customer', ['refuse']);
  const error = await perform(house, runId, 'create-customer').catch(
    (thrown: unknown) => thrown as Failure,
  );
  expect(error).toMatchObject({
    code: 'PROVIDER_REFUSED',
    details: { status: 400, requestId: 'req_stub' },
  });
  const told = JSON.stringify([
    error,
    (error as Failure).message,
    (error as Failure).cause ?? null,
  ]);
  expect(told).not.toContain('owner@example.com');
  expect(told).not.toContain('sk_test');
});

test('a sender that stalls past its time sends nothing', async () => {
  const runId = await admitted(house);
  let late = 0;
  const clocks = house.parts.clocks;
  const stalled = {
    ...house.parts,
    clocks: { ...clocks, monotonicMs: () => clocks.monotonicMs() + late },
  };

  const stall = sender((name) => {
    // Between the grant of the door and the connection: longer than the grant lives.
    if (name === 'before-send') late = HTTP_TIMEOUT_MS + 3_000;
  });
  await expect(performWith(stalled, runId, 'create-customer', stall)).rejects.toMatchObject({
    code: 'PROVIDER_UNAVAILABLE',
  });
  expect(posts('create-customer')).toEqual([]);
});

test('two senders at once: one request', async () => {
  const runId = await admitted(house);
  const answers = await Promise.allSettled([
    perform(house, runId, 'create-customer'),
    perform(house, runId, 'create-customer'),
    perform(house, runId, 'create-customer'),
  ]);
  expect(answers.some(({ status }) => status === 'fulfilled')).toBe(true);
  await persist(runId, 'create-customer');
  expect(posts('create-customer')).toHaveLength(1);
});

test('killed after the request and before the settling, the next attempt finds what was done', async () => {
  const runId = await beforeDomain();
  const killed = sender((name) => {
    if (name === 'after-send') throw new Error('killed');
  });
  await house.gateway.perform(runId, 'register-domain', killed).catch(() => undefined);
  await house.advance(HTTP_TIMEOUT_MS + SETTLING_MS + 10_000);
  await persist(runId, 'register-domain');
  expect(posts('register-domain')).toHaveLength(1);
});
