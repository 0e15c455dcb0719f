import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { canonicalize } from '../../domain/canonical.js';
import { policyDigestOf } from '../../domain/policy/schema.js';
import type { Policy } from '../../domain/policy/schema.js';
import { createGateway } from '../../gateway/create-gateway.js';
import type { CloudflareReaders, StripeReaders } from '../../gateway/readers.js';
import { activatePolicy } from '../../store/policies.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import {
  admitted,
  approved,
  claimOf,
  decisionOf,
  opened,
  openHouse,
  perform,
  performedUpTo,
  refusals,
} from './house.js';
import type { House } from './house.js';

let house: House;
beforeEach(async () => {
  house = await openHouse();
});
afterEach(async () => {
  await house.close();
});

/** The same gateway with single readers of its own. */
function seeing(change: {
  stripe?: Partial<StripeReaders>;
  cloudflare?: Partial<CloudflareReaders>;
}): House {
  const { readers } = house.parts;
  const parts = {
    ...house.parts,
    readers: {
      stripe: { ...readers.stripe, ...change.stripe },
      cloudflare: { ...readers.cloudflare, ...change.cloudflare },
    },
  };
  return { ...house, parts, gateway: createGateway(parts) };
}

const activate = (policy: Policy): Promise<number> =>
  activatePolicy(house.db, {
    digest: policyDigestOf(policy),
    document: canonicalize(policy),
    activatedBy: 'test',
  });

const kindsOf = async (at: House, runId: string): Promise<Record<string, string>> => {
  const { plan } = await at.gateway.plan((await at.gateway.admit(claimOf(at, runId))).runId);
  return Object.fromEntries(plan.steps.map(({ step, kind }) => [step, kind]));
};

test('asked twice, the plan is the same revision', async () => {
  const runId = await admitted(house);
  const first = await house.gateway.plan(runId);
  expect(await house.gateway.plan(runId)).toEqual(first);
  expect(first.plan.revision).toBe(1);
});

test('a name that the goal does not mean is denied before anything is done, by a rule’s name', async () => {
  const { runId } = await house.gateway.admit(
    claimOf(house, 'wrong', { domain: { name: 'superseal.cc', years: 1 } }),
  );
  const { denials } = await house.gateway.plan(runId);
  expect(denials.map(({ rule }) => rule)).toContain('domains.goal');
  await expect(house.gateway.openGate(runId, 'plan')).rejects.toMatchObject({
    code: 'POLICY_DENIED',
  });
  await expect(perform(house, runId, 'create-customer')).rejects.toMatchObject({
    code: 'POLICY_DENIED',
  });
  expect(house.stub.things).toEqual([]);
});

test('a policy that is not valid denies everything', async () => {
  const { runId } = await house.gateway.admit(claimOf(house, 'bare'));
  await activatePolicy(house.db, {
    digest: `sha256:${'e'.repeat(64)}`,
    document: '{"format":1}',
    activatedBy: 'test',
  });
  await expect(house.gateway.plan(runId)).rejects.toMatchObject({ code: 'POLICY_MISSING' });
  await expect(house.gateway.admit(claimOf(house, 'next'))).rejects.toMatchObject({
    code: 'POLICY_MISSING',
  });
  expect(house.stub.things).toEqual([]);
});

test('a site that was never stored is named', async () => {
  const { runId } = await house.gateway.admit(
    claimOf(house, 'siteless', { bundle: `sha256:${'f'.repeat(64)}` }),
  );
  await expect(house.gateway.plan(runId)).rejects.toMatchObject({
    code: 'REQUEST_INVALID',
    message: expect.stringMatching(/^bundle: no site/) as unknown,
  });
});

test('what the principal already runs is adopted, and only the site differs', async () => {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, 'attach-domain');
  await house.gateway.verify(runId);
  await house.gateway.complete(runId);
  const marker = `${house.instance}/launch/deploy-site/act`;
  const later = seeing({
    stripe: {
      subscriptions: () =>
        Promise.resolve([
          {
            subscriptionId: 'sub_1',
            running: true,
            endsAtPeriodEnd: false,
            price: {
              priceId: 'price_starter_monthly',
              active: true,
              amountMinor: 1900,
              currency: 'USD',
              interval: 'month',
            },
            marker: undefined,
          },
        ]),
    },
    cloudflare: {
      registration: () => Promise.resolve({ active: true, autoRenew: false }),
      zoneId: () => Promise.resolve('zone_1'),
      liveScript: () => Promise.resolve({ versionId: 'v1', marker, bundle: 'sha256:older' }),
      customDomain: () => Promise.resolve({ domainId: 'd1', service: 'cs-superseal-club' }),
    },
  });
  expect(await kindsOf(later, 'update')).toEqual({
    'create-customer': 'adopt',
    'link-account': 'adopt',
    'start-subscription': 'adopt',
    'register-domain': 'adopt',
    'configure-dns': 'skip',
    'deploy-site': 'act',
    'attach-domain': 'adopt',
    'verify-site': 'read',
  });
  const { plan } = await later.gateway.plan(
    (await later.gateway.admit(claimOf(later, 'update'))).runId,
  );
  expect(plan.totalMaxMinor).toBe(0);
});

test('a Worker of the same name that somebody else deployed is not replaced', async () => {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, 'link-account');
  for (const marker of [
    undefined,
    `${'9'.repeat(32)}/launch/deploy-site/act`,
    `${house.instance}/other/deploy-site/act`,
  ])
    await expect(
      seeing({
        cloudflare: {
          liveScript: () => Promise.resolve({ versionId: 'v1', marker, bundle: undefined }),
        },
      }).gateway.plan(runId),
    ).rejects.toMatchObject({ code: 'NEEDS_INPUT' });
});

test('a named account waits for its owner’s consent', async () => {
  const account = 'a'.repeat(32);
  const members: string[] = [];
  const at = seeing({
    cloudflare: {
      account: (_client, accountId) =>
        Promise.resolve(
          members.length === 0
            ? undefined
            : { accountId, name: 'theirs', acceptedMembers: members },
        ),
    },
  });
  const { runId } = await at.gateway.admit(
    claimOf(at, 'linked', { hosting: { plan: 'free', account } }),
  );
  await at.gateway.plan(runId);
  expect(await at.gateway.readiness(runId, 'link-account')).toMatchObject({
    ready: false,
    who: 'pr_owner',
  });
  members.push('stranger@example.com');
  expect(await at.gateway.readiness(runId, 'link-account')).toMatchObject({ ready: false });
  members.push('owner@example.com');
  expect(await at.gateway.readiness(runId, 'link-account')).toEqual({ ready: true });
});

test('a missing payment method is asked for, and the run is ready once it is there', async () => {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, 'link-account');
  house.outside.paymentMethod = false;
  expect(await house.gateway.readiness(runId, 'start-subscription')).toMatchObject({
    ready: false,
    need: 'a default payment method for the Stripe customer thing_1',
  });
  house.outside.paymentMethod = true;
  expect(await house.gateway.readiness(runId, 'start-subscription')).toEqual({ ready: true });
});

test('a stricter policy voids the grant; an edited one that asks no more does not', async () => {
  const runId = await admitted(house);
  const gate = await approved(house, runId, 'plan');
  await perform(house, runId, 'create-customer');
  await activate({ ...trialPolicy(), name: 'renamed' });
  await perform(house, runId, 'link-account');
  await activate({
    ...trialPolicy(),
    approvals: [
      { tier: 'approve', allOf: [{ group: 'approvers', count: 2 }] },
      { tier: 'sign-off', allOf: [{ group: 'approvers', count: 2 }] },
    ],
  });
  await expect(perform(house, runId, 'start-subscription')).rejects.toMatchObject({
    code: 'GRANT_VOID',
    details: { gateId: gate.gateId, reason: 'policy-stricter' },
  });
  expect(await refusals(house)).toContain('perform start-subscription: policy-stricter');
});

test('what was autonomous when it was planned asks for a person once the policy does', async () => {
  const runId = await admitted(house);
  const { tiers, ...policy } = trialPolicy();
  await activate({ ...policy, tiers: [...tiers, { step: 'create-customer', tier: 'approve' }] });
  await expect(perform(house, runId, 'create-customer')).rejects.toMatchObject({
    code: 'GATE_NEEDED',
  });
  expect(house.stub.things).toEqual([]);
  await house.gateway.plan(runId);
  await approved(house, runId, 'plan');
  await perform(house, runId, 'create-customer');
});

test('a policy that denies the action denies it, whatever was granted', async () => {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, 'link-account');
  await activate({ ...trialPolicy(), subscriptions: { plans: [] } });
  await expect(perform(house, runId, 'start-subscription')).rejects.toMatchObject({
    code: 'POLICY_DENIED',
  });
});

test('two persons are asked for, and one person counts once', async () => {
  const two = [{ group: 'approvers', count: 2 }];
  await activate({
    ...trialPolicy(),
    approvals: [
      { tier: 'approve', allOf: two },
      { tier: 'sign-off', allOf: two },
    ],
  });
  const runId = await admitted(house);
  const gate = await opened(house, runId, 'plan');
  const decide = async (by: House['ada'], reason: string) =>
    house.gateway.recordDecision(runId, await decisionOf(house, gate, by, { reason }), 'signal');
  expect(await decide(house.ada, 'once')).toMatchObject({ gateState: 'open' });
  expect(await decide(house.ada, 'twice')).toMatchObject({ reason: 'person-already-counted' });
  expect(await house.gateway.gateStatus(runId, gate.gateId)).toMatchObject({
    state: 'open',
    missing: '1 more of approvers',
  });
  expect(await decide(house.bob, 'me too')).toMatchObject({ gateState: 'granted' });
});

test('a site that answers other bytes than approved is looked at again, and fails when it stays so', async () => {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, 'attach-domain');
  house.outside.site = { status: 530, digest: 'sha256:', bytes: 0 };
  await expect(house.gateway.verify(runId)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
  await house.advance(11 * 60_000);
  await expect(house.gateway.verify(runId)).rejects.toMatchObject({ code: 'VERIFICATION_FAILED' });
  house.outside.site = { status: 200, digest: `sha256:${'1'.repeat(64)}`, bytes: 5 };
  await expect(house.gateway.verify(runId)).rejects.toMatchObject({ code: 'VERIFICATION_FAILED' });
  for (const thing of house.stub.things.filter(({ params }) => params['step'] === 'attach-domain'))
    thing.alive = false;
  await expect(house.gateway.verify(runId)).rejects.toMatchObject({ code: 'VERIFICATION_FAILED' });
});
