import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { demandsDelegation } from '../../domain/policy/delegations.js';
import { addDelegation, revokeDelegation } from '../../store/delegations.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { without } from '../door/without.js';
import { admitted, approved, openHouse, perform, refusals, type House } from './house.js';

let house: House;
beforeAll(async () => {
  const policy = trialPolicy();
  const delegations = [{ environment: 'development' as const }];
  house = await openHouse({
    ...policy,
    delegations,
    counts: { ...policy.counts, runsPerHour: 90 },
  });
}, 120_000);
afterAll(() => house.close());

const personIs = (person: string | null) =>
  house.db.updateTable('principals').set({ person_id: person }).execute();
const delegated = (delegationId: string) =>
  house.db.transaction().execute((tx) =>
    addDelegation(tx, {
      delegationId,
      person: 'p_owner',
      agent: 'launch-agent',
      steps: ['*'],
      ceilingMinor: 9_000,
      currency: 'USD',
      until: new Date('2099-01-01T00:00:00.000Z'),
      statement: '{}',
    }),
  );
const named = (name: string) => ({
  goal: `Put ${name}.club online`,
  domain: { name: `${name}.club`, years: 1 },
});
const denialsOf = async (name: string) => {
  const runId = await admitted(house, name, named(name));
  return (await house.gateway.plan(runId)).denials;
};
const nothing = 'the person behind the principal has delegated nothing to launch-agent';

describe('where the policy asks for a delegation whoever answers for the agent', () => {
  test('there is no plan without one: not of a principal behind whom nobody is, nor of the owner', async () => {
    expect(await denialsOf('nobody')).toEqual([{ rule: 'identity', message: nothing }]);
    await personIs('p_owner');
    expect(await denialsOf('own')).toEqual([{ rule: 'identity', message: nothing }]);
    await delegated('d_00000000000000f1');
    expect(await denialsOf('lent')).toEqual([]);
  });

  test('nothing is sent once it was revoked, and would be without delegation-demanded', async () => {
    await personIs('p_owner');
    await delegated('d_00000000000000f2');
    const runId = await admitted(house, 'between', named('between'));
    await approved(house, runId, 'plan');
    for (const delegationId of ['d_00000000000000f1', 'd_00000000000000f2'])
      await house.db
        .transaction()
        .execute((tx) => revokeDelegation(tx, { delegationId, by: 'p_owner' }));
    await expect(perform(house, runId, 'create-customer')).rejects.toMatchObject({
      code: 'POLICY_DENIED',
      details: { reason: 'DELEGATION_REVOKED' },
    });
    expect((await refusals(house)).at(-1)).toMatch('DELEGATION_REVOKED');
    await without(house.db, ['delegation-demanded'], () =>
      perform(house, runId, 'create-customer'),
    );
  });
});

describe('a rule that asks for a delegation', () => {
  const of = { environment: 'staging', tiers: ['autonomous', 'sign-off'] } as const;

  test.each([
    [{}, true],
    [{ environment: 'staging' }, true],
    [{ environment: 'production' }, false],
    [{ tier: 'sign-off' }, true],
    [{ tier: 'approve' }, false],
    [{ environment: 'staging', tier: 'sign-off' }, true],
    [{ environment: 'production', tier: 'sign-off' }, false],
  ] as const)('%j fits: %s', (rule, fits) => {
    expect(demandsDelegation([rule], of)).toBe(fits);
    expect(demandsDelegation([{ tier: 'approve' }, rule], of)).toBe(fits);
  });

  test('without any rule none is asked for', () => {
    expect([demandsDelegation(undefined, of), demandsDelegation([], of)]).toEqual([false, false]);
  });
});
