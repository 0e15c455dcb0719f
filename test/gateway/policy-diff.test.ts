import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { PolicyDiff } from '../../domain/policy/diff.js';
import type { Policy } from '../../domain/policy/schema.js';
import { diffOverRuns } from '../../gateway/policy-diff.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { claimOf, openHouse, type House } from './house.js';

let house: House;

beforeAll(async () => {
  house = await openHouse();
  for (const [runId, name] of [
    ['usual', 'superseal.club'],
    ['foreign', 'superseal.cc'],
  ] as const) {
    const { runId: id } = await house.gateway.admit(
      claimOf(house, runId, { goal: 'A site', domain: { name, years: 1 } }),
    );
    await house.gateway.plan(id);
  }
});
afterAll(async () => {
  await house.close();
});

const diff = (old: Policy, next: Policy): Promise<PolicyDiff> =>
  diffOverRuns({ db: house.db, instance: house.instance }, { old, new: next });
const built = (override: Partial<Policy> = {}): Policy => trialPolicy({ override });

test('nothing differs between a policy and itself, whatever it is called', async () => {
  expect(await diff(built(), built({ name: 'renamed' }))).toMatchObject({
    runs: 2,
    newlyAllowed: [],
    newlyDenied: [],
    extraApprovals: [],
    fewerApprovals: [],
    money: { USD: { old: { deniedMinor: 3_020, askedMinor: 3_020, unattendedMinor: 0 } } },
  });
});

test('each run that is newly denied or allowed is named, with its rule and its money', async () => {
  const tight = built({ domains: { ...built().domains, priceCeiling: '11.19 USD' } });
  const tightened = await diff(built(), tight);
  expect(tightened.newlyDenied).toEqual([
    { runId: 'usual', totalMinor: 3_020, currency: 'USD', rules: ['domains.priceCeiling'] },
  ]);
  expect(tightened.money['USD']?.new).toEqual({
    deniedMinor: 6_040,
    askedMinor: 0,
    unattendedMinor: 0,
  });
  const wide = built({ domains: { ...built().domains, tlds: ['club', 'cc'] } });
  expect((await diff(built(), wide)).newlyAllowed).toEqual([
    { runId: 'foreign', totalMinor: 3_020, currency: 'USD', rules: ['domains.tlds'] },
  ]);
});

test('more approvals, fewer, and money that nobody would be asked for', async () => {
  const two = built({
    approvals: (['approve', 'sign-off'] as const).map((tier) => ({
      tier,
      allOf: [{ group: 'approvers', count: 2 }],
    })),
  });
  const { extraApprovals } = await diff(built(), two);
  expect(extraApprovals).toEqual([
    {
      runId: 'usual',
      old: ['plan: approvers', 'register-domain: approvers'],
      new: [
        'plan: approvers',
        'plan: approvers',
        'register-domain: approvers',
        'register-domain: approvers',
      ],
    },
  ]);
  expect((await diff(two, built())).fewerApprovals).toHaveLength(1);
  const free = built({ tiers: [{ step: '*', tier: 'autonomous' }], terms: [] });
  const freed = await diff(built(), free);
  expect(freed.fewerApprovals[0]?.new).toEqual([]);
  expect(freed.money['USD']?.new).toMatchObject({ askedMinor: 0, unattendedMinor: 3_020 });
});
