import { describe, expect, test } from '@jest/globals';
import type { ActionDocument } from '../../domain/documents.js';
import type { Quote } from '../../domain/plan.js';
import { activationRule, keyAdministrators } from '../../domain/policy/activation.js';
import { builtInPolicy } from '../../domain/policy/built-in.js';
import { capsFor } from '../../domain/policy/caps.js';
import { decideAction, decidePlan } from '../../domain/policy/decide.js';
import type { Plan } from '../../domain/plan.js';
import { parsePolicy, type Policy } from '../../domain/policy/schema.js';
import type { Verdict } from '../../domain/policy/verdict.js';
import { firstQuote, nowMs, planWith, policy, requestWith } from './fixtures.js';

const actionOf = (step: string, changes = {}): ActionDocument => {
  const action = planWith(changes).steps.find((one) => one.step === step)?.action;
  if (action === undefined) throw new Error(`no action for ${step}`);
  return action;
};
const quoteOf = (plan: string): Quote => ({
  ...firstQuote,
  subscription: {
    kind: 'create',
    priceId: `price_${plan}_monthly`,
    amountMinor: plan === 'growth' ? 4900 : 1900,
    currency: 'USD',
    interval: 'month',
  },
});
const rulesOf = (verdict: Verdict): string[] => verdict.why.map(({ rule }) => rule);
const overriding = (override: Partial<Policy>): Policy => builtInPolicy({ override });

describe('the built-in policy', () => {
  const ONE = { allOf: [{ group: 'approvers', count: 1 }] };
  const TWO = { allOf: [{ group: 'approvers', count: 2 }] };
  test.each([
    ['create-customer', 'development', 'sign-off', ONE],
    ['create-customer', 'production', 'sign-off', ONE],
    ['link-account', 'development', 'sign-off', ONE],
    ['link-account', 'production', 'sign-off', ONE],
    ['start-subscription', 'development', 'sign-off', ONE],
    ['start-subscription', 'production', 'sign-off', ONE],
    ['register-domain', 'development', 'sign-off', ONE],
    ['register-domain', 'staging', 'sign-off', ONE],
    ['register-domain', 'production', 'sign-off', TWO],
    ['configure-dns', 'development', 'approve', ONE],
    ['configure-dns', 'production', 'approve', ONE],
    ['deploy-site', 'development', 'autonomous', undefined],
    ['deploy-site', 'staging', 'approve', ONE],
    ['deploy-site', 'production', 'sign-off', ONE],
    ['attach-domain', 'development', 'approve', ONE],
    ['attach-domain', 'production', 'sign-off', ONE],
  ])('%s in %s is %s', (step, environment, tier, approval) => {
    const dns = [{ type: 'A', name: 'api', content: '192.0.2.1' }];
    const request = requestWith({ environment, dns });
    const quote = { ...firstQuote, dns: { kind: 'create' } } as const;
    const verdict = decideAction(policy, {
      request,
      action: actionOf(step, { request, quote }),
      nowMs,
    });
    expect(verdict).toMatchObject({ verdict: tier });
    expect(verdict.approval).toEqual(approval);
  });

  test.each([
    ['production', 'starter', ONE],
    ['production', 'growth', ONE],
    ['development', 'growth', ONE],
  ])('a plan below 50.00 USD in %s with %s takes one person', (environment, plan, rule) => {
    const request = requestWith({ environment, subscription: { plan }, budget: '90.00 USD' });
    expect(planWith({ request, quote: quoteOf(plan) }).gates[0]?.rule).toEqual(rule);
  });

  test.each([
    ['50.00 USD', 'production', ONE],
    ['50.01 USD', 'production', TWO],
    ['50.01 USD', 'staging', ONE],
  ])('a subscription of %s in %s', (amount, environment, rule) => {
    const dear = {
      subscriptions: {
        plans: [{ name: 'starter', priceId: 'price_dear', amount, interval: 'month' as const }],
      },
    };
    const quote = {
      ...firstQuote,
      subscription: {
        ...firstQuote.subscription,
        priceId: 'price_dear',
        amountMinor: Number(amount.replace(/\D/g, '')),
      } as Quote['subscription'],
    };
    const plan = planWith({
      policy: overriding(dear),
      request: requestWith({ environment, budget: '90.00 USD' }),
      quote,
    });
    expect(plan.denials).toEqual([]);
    expect(plan.gates[0]).toMatchObject({ gate: 'plan', rule });
  });

  test('sums above 50.00 USD in production take two persons also where no single one is', () => {
    const bundled = overriding({ bundleIrreversible: ['register-domain'] });
    const request = requestWith({ subscription: { plan: 'growth' }, budget: '90.00 USD' });
    const plan = planWith({ policy: bundled, request, quote: quoteOf('growth') });
    expect(plan.gates.map(({ gate, rule }) => [gate, rule])).toEqual([['plan', TWO]]);
  });

  test('policy and key changes are for whoever signs off, terms too', () => {
    expect(policy.termsTier).toBe('sign-off');
    expect(activationRule(policy)).toEqual(TWO);
    // Who governs alone has nobody else to ask.
    expect(activationRule(builtInPolicy({ solo: true }))).toEqual(ONE);
    expect(keyAdministrators(policy)).toEqual(['approvers']);
  });

  test('survives its own schema: the file that a person writes has this very form', () => {
    expect(parsePolicy(JSON.parse(JSON.stringify(policy)))).toEqual(policy);
  });
});

describe('denials', () => {
  test.each<[string, Parameters<typeof planWith>[0], string]>([
    [
      'a TLD that is not listed',
      { request: requestWith({ domain: { name: 'superseal.cc' } }) },
      'domains.tlds',
    ],
    [
      'a sub-domain',
      { request: requestWith({ domain: { name: 'a.superseal.club' } }) },
      'domains.tlds',
    ],
    [
      'punycode',
      { request: requestWith({ domain: { name: 'xn--suprseal-hcb.club' } }) },
      'domains.names',
    ],
    [
      'too many years',
      { request: requestWith({ domain: { name: 'superseal.club', years: 3 } }) },
      'domains.yearsMax',
    ],
    [
      'an unknown plan',
      { request: requestWith({ subscription: { plan: 'gold' } }) },
      'subscriptions.plans',
    ],
    [
      'a hosting plan that is not listed',
      { request: requestWith({ hosting: { plan: 'workers-paid' } }) },
      'hosting.plans',
    ],
    [
      'another currency of the budget',
      { request: requestWith({ budget: '60.00 EUR' }) },
      'currency',
    ],
    [
      'a budget that does not suffice',
      { request: requestWith({ budget: '30.19 USD' }) },
      'caps.run',
    ],
    [
      'a price above the ceiling',
      {
        quote: {
          ...firstQuote,
          domain: { kind: 'register', registrationMinor: 4001, renewalMinor: 1, currency: 'USD' },
        },
      },
      'domains.priceCeiling',
    ],
    [
      "a price that is not the plan's",
      {
        quote: {
          ...firstQuote,
          subscription: {
            kind: 'create',
            priceId: 'price_starter_monthly',
            amountMinor: 1901,
            currency: 'USD',
            interval: 'month',
          },
        },
      },
      'subscriptions.plans',
    ],
    [
      'a domain that cannot be had',
      { quote: { ...firstQuote, domain: { kind: 'unavailable', reason: 'taken' } } },
      'domains.available',
    ],
    [
      'an environment that is not allowed',
      { policy: overriding({ environments: ['development'] }) },
      'environments',
    ],
    ['a step that no tier lets happen', { policy: overriding({ tiers: [] }) }, 'tiers'],
    ['a tier that nobody may approve', { policy: overriding({ approvals: [] }) }, 'approvals'],
    [
      'more operations than allowed',
      { policy: overriding({ counts: { ...policy.counts, operationsPerRun: 5 } }) },
      'counts.operationsPerRun',
    ],
    [
      'record types that are not listed',
      {
        request: requestWith({ dns: [{ type: 'A', name: 'a', content: '192.0.2.1' }] }),
        quote: { ...firstQuote, dns: { kind: 'create' } },
        policy: overriding({ dns: { types: ['TXT'], recordsMax: 20 } }),
      },
      'dns.types',
    ],
  ])('%s', (_, changes, rule) => {
    const plan = planWith(changes);
    expect(plan.denials.map((denial) => denial.rule)).toContain(rule);
    expect(plan.gates).toEqual([]);
  });

  test('a plan just within the budget passes', () => {
    expect(planWith({ request: requestWith({ budget: '30.20 USD' }) }).denials).toEqual([]);
  });

  test('the agent that asks for superseal.cc while its goal says superseal.club is told both rules', () => {
    const request = requestWith({
      goal: 'Put superseal.club online',
      domain: { name: 'superseal.cc' },
    });
    expect(planWith({ request }).denials.map(({ rule }) => rule)).toEqual([
      'domains.goal',
      'domains.tlds',
    ]);
  });

  test('without a policy everything is denied', () => {
    const verdict = decideAction(undefined, {
      request: requestWith(),
      action: actionOf('create-customer'),
      nowMs,
    });
    expect(verdict).toMatchObject({ verdict: 'denied', why: [{ rule: 'policy' }] });
    expect(
      decidePlan(undefined, { request: requestWith(), actions: [], needsPerson: false, nowMs })
        .denials,
    ).toHaveLength(1);
  });
});

describe('an action other than the one asked for is denied, whoever built it', () => {
  const quote = { ...firstQuote, dns: { kind: 'create' } } as const;
  const request = requestWith({ dns: [{ type: 'A', name: 'api', content: '192.0.2.1' }] });
  test.each<[string, string, Record<string, unknown>, string]>([
    ['another domain', 'register-domain', { domain_name: 'superseal.cc' }, 'request'],
    ['more years', 'register-domain', { years: 2 }, 'request'],
    ['automatic renewal', 'register-domain', { auto_renew: true }, 'request'],
    [
      'another price',
      'start-subscription',
      { price: 'price_growth_monthly' },
      'subscriptions.plans',
    ],
    ['two of it', 'start-subscription', { quantity: 2 }, 'subscriptions.plans'],
    ['another site', 'deploy-site', { bundle: `sha256:${'0'.repeat(64)}` }, 'request'],
    ['another script', 'deploy-site', { script: 'cs-other' }, 'request'],
    ['another host', 'attach-domain', { hostname: 'www.superseal.club' }, 'request'],
    [
      'another record',
      'configure-dns',
      { records: [{ type: 'A', name: 'api.superseal.club', content: '192.0.2.2', ttl: 1 }] },
      'request',
    ],
    ['no record', 'configure-dns', { records: [] }, 'request'],
  ])('%s', (_, step, params, rule) => {
    const action = actionOf(step, { request, quote });
    expect(decideAction(policy, { request, action, nowMs }).verdict).toMatch(/approve|sign-off/);
    const bent = { ...action, params: { ...action.params, ...params } } as ActionDocument;
    const verdict = decideAction(policy, { request, action: bent, nowMs });
    expect(verdict.verdict).toBe('denied');
    expect(rulesOf(verdict)).toContain(rule);
  });

  test('an operation of another step, a cost on a free step, another environment', () => {
    const action = actionOf('create-customer');
    const of = (bent: Partial<ActionDocument>): string =>
      decideAction(policy, { request: requestWith(), action: { ...action, ...bent }, nowMs })
        .verdict;
    expect(of({})).toBe('sign-off');
    expect(of({ operation: 'subscriptions.create' })).toBe('denied');
    expect(of({ operation: 'constructor' })).toBe('denied');
    expect(of({ provider: 'cloudflare' })).toBe('denied');
    expect(of({ costMaxMinor: 1 })).toBe('denied');
    expect(of({ currency: 'EUR' })).toBe('denied');
    expect(of({ environment: 'development' })).toBe('denied');
  });
});

describe('gates', () => {
  test('the purchase of the domain stands alone, everything else is one gate', () => {
    expect(planWith().gates.map(({ gate, steps }) => [gate, steps])).toEqual([
      [
        'plan',
        ['create-customer', 'link-account', 'start-subscription', 'deploy-site', 'attach-domain'],
      ],
      ['register-domain', ['register-domain']],
    ]);
  });

  test('the policy may bundle it by name', () => {
    const bundled = overriding({ bundleIrreversible: ['register-domain'] });
    expect(planWith({ policy: bundled }).gates.map(({ gate }) => gate)).toEqual(['plan']);
  });

  test('splitting a sum evades no rule: a gate is judged by its total', () => {
    const dear = overriding({
      approvals: [
        ...policy.approvals.filter(({ environment }) => environment === undefined),
        {
          tier: 'sign-off',
          amountAbove: '20.00 USD',
          allOf: [
            { group: 'finance', count: 2 },
            { group: 'approvers', count: 1 },
          ],
        },
      ],
      bundleIrreversible: ['register-domain'],
    });
    expect(planWith({ policy: dear }).gates[0]?.rule).toEqual({
      allOf: [
        { group: 'approvers', count: 1 },
        { group: 'finance', count: 2 },
      ],
    });
    const apart = { ...dear, bundleIrreversible: [] };
    expect(planWith({ policy: apart }).gates.map(({ rule }) => rule.allOf.length)).toEqual([1, 1]);
  });

  test('an autonomous plan needs no gate, unless a person has to say something', () => {
    const free = overriding({ tiers: [{ step: '*', tier: 'autonomous' }], terms: [] });
    expect(planWith({ policy: free }).gates).toEqual([]);
    const terms = overriding({ tiers: [{ step: '*', tier: 'autonomous' }] });
    const plan = planWith({ policy: terms });
    expect(plan.gates.map(({ gate }) => gate)).toEqual(['plan']);
    expect(plan.terms).toHaveLength(1);
    const accepted = policy.terms.map(({ digest }) => digest);
    expect(planWith({ policy: terms, acceptedTerms: accepted })).toMatchObject({
      gates: [],
      terms: [],
    });
    const adopted = {
      ...firstQuote,
      customer: { kind: 'adopt', customerId: 'cus_9', by: 'person' },
    } as const;
    expect(planWith({ policy: free, quote: adopted }).gates).toHaveLength(1);
  });
});

describe('caps', () => {
  test('every scope of one charge; a budget only lowers the cap of the run', () => {
    const of = { principal: 'pr_x', agent: 'a_x', provider: 'stripe', runId: 'r' } as const;
    const scopes = capsFor(policy, of, '60.00 USD');
    expect(scopes).toEqual([
      { scope: 'organisation', capMinor: 100_000 },
      { scope: 'principal:pr_x', capMinor: 20_000 },
      { scope: 'agent:a_x', capMinor: 20_000 },
      { scope: 'provider:stripe', capMinor: 50_000 },
      { scope: 'principal-provider:pr_x:stripe', capMinor: 10_000 },
      { scope: 'run:r', capMinor: 6_000 },
    ]);
    expect(capsFor(policy, of, '600.00 USD').at(-1)?.capMinor).toBe(10_000);
  });
});

describe('an account that exists', () => {
  const free = overriding({ tiers: [{ step: '*', tier: 'autonomous' }], terms: [] });
  const request = requestWith({
    environment: 'development',
    hosting: { plan: 'free', account: 'b'.repeat(32) },
  });
  const linking = (recorded: boolean): Plan =>
    planWith({
      policy: free,
      request,
      quote: {
        ...firstQuote,
        account: { kind: 'link', accountId: 'b'.repeat(32), name: 'theirs', recorded },
      },
    });

  test('is linked by nobody’s e-mail address alone: a person agrees, whatever the tiers say', () => {
    const { gates, steps } = linking(false);
    expect(gates.map(({ gate, steps: covered }) => [gate, covered])).toEqual([
      ['plan', ['link-account']],
    ]);
    expect(steps.find(({ step }) => step === 'link-account')).toMatchObject({
      kind: 'act',
      tier: 'approve',
      because: ['link-account'],
    });
  });

  test('is used again without, once it was linked', () => {
    const { gates, steps } = linking(true);
    expect(gates).toEqual([]);
    expect(steps.find(({ step }) => step === 'link-account')?.kind).toBe('adopt');
  });
});
