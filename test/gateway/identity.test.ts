import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import type { RunId } from '../../domain/ids.js';
import type { EffectStep } from '../../domain/steps.js';
import { addDelegation, revokeDelegation } from '../../store/delegations.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { without } from '../door/without.js';
import { admitted, approved, claimOf, openHouse, perform, refusals } from './house.js';
import type { House } from './house.js';

let house: House;
beforeAll(async () => {
  const policy = trialPolicy();
  const counts = { ...policy.counts, openRunsPerAgent: 90, runsPerHour: 90 };
  const most = '9000.00 USD';
  const caps = { ...policy.caps, organisation: most, principal: most, agent: most, provider: most };
  const roomy = { ...policy, counts, caps: { ...caps, principalProvider: most } };
  house = await openHouse(roomy);
});
afterAll(async () => {
  await house.close();
});

const HOUR_MS = 3_600_000;
/** What the plan of `named` costs at most: 19.00 for the subscription and 11.20 for the name. */
const TOTAL_MINOR = 3_020;

let count = 0;
const named = (name: string) => ({
  goal: `Put ${name}.club online`,
  domain: { name: `${name}.club`, years: 1 },
});

/** What Ada, who is the principal, delegates to the agent that the owner answers for. */
async function delegated(change: {
  ceilingMinor?: number;
  currency?: string;
  steps?: readonly string[];
  inMs?: number;
}): Promise<string> {
  count += 1;
  const delegationId = `d_${count.toString(16).padStart(16, '0')}`;
  const { rows } = await sql<{ until: Date }>`
    select countersign_now() + ${change.inMs ?? HOUR_MS} * interval '1 millisecond' as until`.execute(
    house.db,
  );
  await house.db.transaction().execute((tx) =>
    addDelegation(tx, {
      delegationId,
      person: 'p_ada',
      agent: 'launch-agent',
      steps: change.steps ?? ['*'],
      ceilingMinor: change.ceilingMinor ?? TOTAL_MINOR,
      currency: change.currency ?? 'USD',
      until: rows[0]?.until ?? new Date(0),
      statement: '{}',
    }),
  );
  return delegationId;
}

const revoke = (delegationId: string): Promise<boolean> =>
  house.db.transaction().execute((tx) => revokeDelegation(tx, { delegationId, by: 'p_ada' }));

const revokeAll = async (): Promise<void> => {
  const rows = await house.db.selectFrom('delegations').select('delegation_id').execute();
  for (const { delegation_id: id } of rows) await revoke(id);
};

/** While Ada is the person behind the principal. */
async function asAda<T>(body: () => Promise<T>): Promise<T> {
  const be = (person: string | null) =>
    house.db.updateTable('principals').set({ person_id: person }).execute();
  await be('p_ada');
  try {
    return await body();
  } finally {
    await be(null);
    await revokeAll();
  }
}

const ready = async (name: string): Promise<RunId> => {
  const runId = await admitted(house, name, named(name));
  await approved(house, runId, 'plan');
  return runId;
};

/** Performs what the run has to do first: an earlier run of the same principal may have made what it adopts. */
async function performFirst(runId: RunId): Promise<unknown> {
  const { step } = await house.db
    .selectFrom('plan_steps')
    .innerJoin('runs', 'runs.run_id', 'plan_steps.run_id')
    .whereRef('runs.plan_revision', '=', 'plan_steps.revision')
    .where('runs.run_id', '=', runId)
    .where('kind', '=', 'act')
    .orderBy('position')
    .select('step')
    .executeTakeFirstOrThrow();
  return perform(house, runId, step as EffectStep);
}

const agentIs = (change: { state?: 'active' | 'suspended'; owner_person?: string | null }) =>
  house.db.updateTable('agents').set(change).where('agent_id', '=', 'launch-agent').execute();
const personIs = (person: string, active: boolean) =>
  house.db.updateTable('persons').set({ active }).where('person_id', '=', person).execute();

/** What makes the very same run impossible between its grant and its send, and possible again. */
const BETWEEN = [
  {
    what: 'suspended',
    guard: 'agent-state',
    reason: 'AGENT_SUSPENDED',
    now: () => agentIs({ state: 'suspended' }),
    again: () => agentIs({ state: 'active' }),
  },
  {
    what: 'left without an owner',
    guard: 'owner-gone',
    reason: 'OWNER_GONE',
    now: () => agentIs({ owner_person: null }),
    again: () => agentIs({ owner_person: 'p_owner' }),
  },
  {
    what: 'left with an owner who is not active any more',
    guard: 'owner-gone',
    reason: 'OWNER_GONE',
    now: () => personIs('p_owner', false),
    again: () => personIs('p_owner', true),
  },
] as const;

describe.each(BETWEEN)('an agent that is $what', ({ what, guard, reason, now, again }) => {
  const name = what.replace(/[^a-z]/g, '').slice(0, 20);

  test('starts nothing', async () => {
    await now();
    try {
      await expect(house.gateway.admit(claimOf(house, `${name}-0`))).rejects.toMatchObject({
        code: 'ADMISSION_REFUSED',
      });
      const said = `admit: ${reason.toLowerCase().replace('_', '-')}`;
      expect((await refusals(house)).at(-1)).toBe(said);
    } finally {
      await again();
    }
  });

  test(`sends nothing under a grant that stands, and would without ${guard}`, async () => {
    const runId = await ready(`${name}-1`);
    await now();
    try {
      await expect(performFirst(runId)).rejects.toMatchObject({
        code: 'POLICY_DENIED',
        details: { reason },
      });
      await without(house.db, [guard], () => performFirst(runId));
    } finally {
      await again();
    }
  });

  test('gets no plan either', async () => {
    const run = await house.gateway.admit(claimOf(house, `${name}-2`, named(`${name}-2`)));
    await now();
    try {
      const { denials } = await house.gateway.plan(run.runId);
      expect(denials).toEqual([{ rule: 'identity', message: expect.any(String) }]);
    } finally {
      await again();
    }
    expect((await house.gateway.plan(run.runId)).denials).toEqual([]);
  });
});

describe('an agent of somebody else than the person it acts for', () => {
  test('starts nothing without that person’s delegation', async () => {
    await asAda(async () => {
      const asked = () => house.gateway.admit(claimOf(house, 'none', named('none')));
      await expect(asked()).rejects.toMatchObject({ code: 'ADMISSION_REFUSED' });
      expect((await refusals(house)).at(-1)).toBe('admit: delegation-missing');
      await without(house.db, ['delegated'], asked);
    });
  });

  test('needs none where that person answers for it', async () => {
    await asAda(async () => {
      await agentIs({ owner_person: 'p_ada' });
      try {
        await house.gateway.admit(claimOf(house, 'own', named('own')));
      } finally {
        await agentIs({ owner_person: 'p_owner' });
      }
    });
  });

  test('gets a plan up to the ceiling, and none one cent above it', async () => {
    await asAda(async () => {
      const low = await delegated({ ceilingMinor: TOTAL_MINOR - 1 });
      const { runId } = await house.gateway.admit(claimOf(house, 'cent', named('cent')));
      expect((await house.gateway.plan(runId)).denials).toEqual([
        {
          rule: 'identity',
          message:
            'what was delegated to launch-agent does not cover an amount this high in this currency',
        },
      ]);
      await revoke(low);
      await delegated({});
      const { denials, plan } = await house.gateway.plan(runId);
      expect(denials).toEqual([]);
      expect(plan.totalMaxMinor).toBe(TOTAL_MINOR);
    });
  });

  test('gets no plan with a step that was not delegated, nor in another currency', async () => {
    await asAda(async () => {
      await delegated({ steps: ['create-customer', 'start-subscription'] });
      const { runId } = await house.gateway.admit(claimOf(house, 'steps', named('steps')));
      const message = async () => (await house.gateway.plan(runId)).denials[0]?.message;
      expect(await message()).toMatch('does not cover these steps');
      await delegated({ currency: 'EUR' });
      expect(await message()).toMatch('in this currency');
    });
  });

  test.each([
    ['revoked', 'delegation-revoked', 'DELEGATION_REVOKED', { inMs: HOUR_MS * 5 }],
    ['lowered by a cent', 'delegation-ceiling', 'DELEGATION_CEILING', { ceilingMinor: 3_019 }],
    ['narrowed', 'delegation-steps', 'DELEGATION_STEPS', { steps: ['link-account'] }],
  ] as const)(
    'sends nothing once it was %s between grant and send, and would without %s',
    async (what, guard, reason, change) => {
      await asAda(async () => {
        const first = await delegated({});
        const runId = await ready(`between-${guard}`);
        await revoke(first);
        if (what !== 'revoked') await delegated(change);
        await expect(performFirst(runId)).rejects.toMatchObject({
          code: 'POLICY_DENIED',
          details: { reason },
        });
        await without(house.db, [guard], () => performFirst(runId));
      });
    },
  );

  test('sends up to the instant that was named, and not a millisecond later', async () => {
    await asAda(async () => {
      await delegated({ inMs: HOUR_MS });
      const [before, after] = [await ready('before'), await ready('after')];
      await house.advance(HOUR_MS - 60_000);
      await performFirst(before);
      await house.advance(60_000);
      await expect(performFirst(after)).rejects.toMatchObject({
        details: { reason: 'DELEGATION_EXPIRED' },
      });
      await without(house.db, ['delegation-until'], () => performFirst(after));
    });
  });
});
