import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { buildCard, buildGate, excludedPersons } from '../../domain/build-gate.js';
import { canonicalize, digestOf } from '../../domain/canonical.js';
import { actionSchema, type CardDocument } from '../../domain/documents.js';
import { scriptNameOf } from '../../domain/domain-name.js';
import { Failure } from '../../domain/errors.js';
import { gateIdOf } from '../../domain/ids.js';
import type { Plan, Quote } from '../../domain/plan.js';
import { principalReference } from '../../domain/principal.js';
import { builtInPolicy } from '../../domain/policy/built-in.js';
import { requestDigestOf } from '../../domain/request.js';
import { PIVOT } from '../../domain/steps.js';
import {
  firstQuote,
  instance,
  nowMs,
  owner,
  planInput,
  planWith,
  policy,
  requestWith,
  updateQuote,
} from './fixtures.js';

const roles = { requester: 's_local', agent: 'a_launch', owner: 'p_owner', principal: 'pr_owner' };

function cardOf(
  plan: Plan,
  gate: string,
  changes: Partial<Parameters<typeof buildCard>[0]> = {},
): CardDocument {
  return buildCard({
    instance,
    plan,
    gate,
    request: requestWith(),
    quote: firstQuote,
    policy,
    nowMs,
    roles,
    caps: [],
    site: { files: 4, bytes: 12_345 },
    ...changes,
  });
}

describe('the plan of a first run', () => {
  const plan = planWith();

  test('reads, step by step, as a reviewer expects it', () => {
    const rows = plan.steps.map(({ step, kind, action, reversal, residue, costMaxMinor, gate }) =>
      [
        step,
        kind,
        action?.operation ?? '-',
        costMaxMinor,
        reversal,
        residue.minor,
        gate ?? '-',
      ].join(' | '),
    );
    expect(rows).toEqual([
      'create-customer | act | customers.create | 0 | compensate | 0 | plan',
      'link-account | act | accounts.create | 0 | mitigate | 0 | plan',
      'start-subscription | act | subscriptions.create | 1900 | compensate | 0 | plan',
      'register-domain | act | registrar.registrations.create | 1120 | mitigate | 1120 | register-domain',
      'configure-dns | skip | - | 0 | none | 0 | -',
      'deploy-site | act | workers.scripts.upload | 0 | compensate | 0 | plan',
      'attach-domain | act | workers.domains.update | 0 | compensate | 0 | plan',
      'verify-site | read | - | 0 | none | 0 | -',
    ]);
  });

  test('adds up: now, each month, each year, and what a stop would lose', () => {
    expect(plan).toMatchObject({
      denials: [],
      totalMaxMinor: 3020,
      firstChargeMinor: 3020,
      monthlyMinor: 1900,
      yearlyMinor: 1420,
    });
    expect(plan.worstCase.map(({ lossMinor }) => lossMinor)).toEqual([0, 0, 0, 1120, 1120, 1120]);
  });

  test('holds parameters that are exactly what will be sent', () => {
    const params = Object.fromEntries(
      plan.steps.flatMap(({ step, action }) =>
        action === undefined ? [] : [[step, action.params]],
      ),
    );
    expect(params).toEqual({
      'create-customer': {
        email: principalReference(owner, 'email'),
        name: principalReference(owner, 'name'),
      },
      'link-account': { name: 'countersign superseal.club', standalone: true },
      'start-subscription': {
        price: 'price_starter_monthly',
        quantity: 1,
        amountMinor: 1900,
        currency: 'USD',
        interval: 'month',
        customer: { fromStep: 'create-customer', field: 'customerId' },
      },
      'register-domain': {
        domain_name: 'superseal.club',
        years: 1,
        auto_renew: false,
        privacy_mode: 'redaction',
      },
      'deploy-site': {
        script: 'cs-superseal-club',
        bundle: requestWith().bundle,
        compatibility_date: '2026-04-01',
      },
      'attach-domain': {
        hostname: 'superseal.club',
        service: 'cs-superseal-club',
        zone_name: 'superseal.club',
      },
    });
    for (const { action, actionDigest } of plan.steps)
      if (action !== undefined) {
        expect(actionSchema.parse(action)).toEqual(action);
        expect(digestOf(action)).toBe(actionDigest);
        expect(action.effectKey).toBe(`${instance}/launch-7/${action.step}/act`);
      }
  });

  test('is the same for the same quote, and has a canonical form', () => {
    expect(canonicalize(planWith())).toBe(canonicalize(plan));
  });

  test('pays each further year at the price of a renewal', () => {
    const request = requestWith({ domain: { name: 'superseal.club', years: 2 } });
    const action = planWith({ request }).steps.find(({ step }) => step === PIVOT)?.action;
    expect(action?.costMaxMinor).toBe(1120 + 1420);
  });
});

type Interval = 'month' | 'year';
const sameSite = { kind: 'same', scriptName: 'cs-superseal-club' } as const;

describe.each<[string, Interval, number, { first: number; monthly: number; yearly: number }]>([
  ['a monthly plan, a domain for a year', 'month', 1, { first: 3020, monthly: 1900, yearly: 1420 }],
  ['a yearly plan, a domain for a year', 'year', 1, { first: 3020, monthly: 0, yearly: 3320 }],
  ['a monthly plan, three years', 'month', 3, { first: 5860, monthly: 1900, yearly: 1420 }],
  ['a yearly plan, three years', 'year', 3, { first: 5860, monthly: 0, yearly: 3320 }],
])('the price of %s', (_what, interval, years, { first, monthly, yearly }) => {
  const { subscription } = firstQuote;
  if (subscription.kind !== 'create') throw new Error('the first quote creates');
  const quote = { ...firstQuote, subscription: { ...subscription, interval } };
  const request = requestWith({ domain: { name: 'superseal.club', years }, budget: '90.00 USD' });
  const priced = { firstChargeMinor: first, monthlyMinor: monthly, yearlyMinor: yearly };

  test('is the first charge, a month and a year', () => {
    const plan = planWith({ request, quote });
    expect(plan).toMatchObject({ ...priced, totalMaxMinor: first });
    // What renews by itself is what the ledger reserves first: the subscription, and never the domain.
    const action = plan.steps.find(({ step }) => step === 'start-subscription')?.action;
    expect(action?.params).toMatchObject({ interval, amountMinor: 1900 });
  });

  test('charges nothing for what runs already', () => {
    const plan = planWith({ request, quote: { ...updateQuote, site: sameSite } });
    expect(plan).toMatchObject({ firstChargeMinor: 0, monthlyMinor: 0, yearlyMinor: 0 });
    // A further domain of a customer whose subscription runs: its own price, and nothing for the subscription.
    const onlyDomain = planWith({
      request,
      quote: { ...updateQuote, domain: firstQuote.domain },
    });
    expect(onlyDomain).toMatchObject({
      firstChargeMinor: first - 1900,
      monthlyMinor: 0,
      yearlyMinor: 1420,
    });
  });
});

describe('the plan of an update', () => {
  test('adopts what is there, charges nothing and deploys what differs', () => {
    const plan = planWith({ quote: updateQuote });
    expect(plan.steps.map(({ kind }) => kind)).toEqual([
      'adopt',
      'adopt',
      'adopt',
      'adopt',
      'skip',
      'act',
      'adopt',
      'read',
    ]);
    expect(plan).toMatchObject({ totalMaxMinor: 0, monthlyMinor: 0, yearlyMinor: 0 });
    const deploy = plan.steps.find(({ step }) => step === 'deploy-site');
    expect(deploy?.action).toMatchObject({
      account: 'b'.repeat(32),
      params: { previousVersion: 'v1' },
      residue: { text: 'the former version comes back' },
    });
  });

  test('puts records into the zone that is there', () => {
    const request = requestWith({ dns: [{ type: 'TXT', name: '@', content: 'x' }] });
    const plan = planWith({ request, quote: { ...updateQuote, dns: { kind: 'create' } } });
    expect(plan.denials).toEqual([]);
    expect(plan.steps[4]?.action?.params).toEqual({
      zone: 'c'.repeat(32),
      records: [{ type: 'TXT', name: 'superseal.club', content: 'x', ttl: 1 }],
    });
  });

  test('links the account that the request names', () => {
    const account = 'e'.repeat(32);
    const request = requestWith({ hosting: { plan: 'free', account } });
    const quote: Quote = { ...firstQuote, account: { kind: 'needs-consent', accountId: account } };
    const plan = planWith({ request, quote });
    expect(plan.denials).toEqual([]);
    expect(plan.steps[1]?.action).toMatchObject({
      operation: 'accounts.link',
      account,
      params: { accountId: account, owner: { ofPrincipal: 'pr_owner', field: 'email' } },
    });
    expect(planWith({ request }).denials.map(({ rule }) => rule)).toContain('request');
  });
});

describe('script names', () => {
  const label = fc.stringMatching(/^[a-z0-9](-?[a-z0-9]){0,6}$/);
  test('two domains never share one', () => {
    const name = fc.array(label, { minLength: 2, maxLength: 3 }).map((labels) => labels.join('.'));
    fc.assert(
      fc.property(name, name, (one, other) => {
        expect(scriptNameOf(one) === scriptNameOf(other)).toBe(one === other);
      }),
    );
    expect(scriptNameOf('a-b.com')).not.toBe(scriptNameOf('a.b.com'));
  });

  test('a long name stays a name', () => {
    const long = `${'a'.repeat(60)}.${'b'.repeat(60)}.club`;
    expect(scriptNameOf(long)).toMatch(/^[a-z0-9][a-z0-9-]{1,49}$/);
  });
});

describe('cards and gates', () => {
  const plan = planWith();

  test('the card of the domain tells its price, that it cannot be undone, and what to type', () => {
    const card = cardOf(plan, 'register-domain');
    expect(card).toMatchObject({
      title: 'Register superseal.club for 1 year, up to 11.20 USD',
      totalMaxMinor: 1120,
      typeToConfirm: 'superseal.club',
      changes: [],
    });
    expect(card.notes.join(' ')).toMatch(/cannot be undone.*within 10 seconds.*14\.20 USD a year/);
    expect(card.terms).toEqual([]);
    expect(card.site).toBeUndefined();
  });

  test('the card of the plan lists its actions, the site, the terms, and what other gates cover', () => {
    const card = cardOf(plan, 'plan');
    expect(card.title).toBe('Set up superseal.club: 5 actions, up to 19.00 USD');
    expect(card.site).toEqual({ bundle: requestWith().bundle, files: 4, bytes: 12_345 });
    expect(card.terms).toHaveLength(1);
    expect(card.otherSteps).toContainEqual({
      step: 'register-domain',
      title: 'Register superseal.club for 1 year',
      gate: 'register-domain',
    });
    expect(card.why.map(({ rule }) => rule)).toContain('terms');
    expect(card.typeToConfirm).toBeUndefined();
  });

  test('no card holds an e-mail address: Temporal shows cards', () => {
    const account = 'a'.repeat(32);
    const linked: Quote = { ...firstQuote, account: { kind: 'needs-consent', accountId: account } };
    const linking = planWith({ quote: linked });
    for (const [one, gate] of [
      [plan, 'plan'],
      [plan, 'register-domain'],
      [linking, 'plan'],
    ] as const)
      expect(canonicalize(cardOf(one, gate))).not.toMatch(/@/);
    // No action holds one either: what a card leaves out is nothing that only the card keeps back.
    for (const one of [plan, linking]) expect(JSON.stringify(one.steps)).not.toMatch(/@/);
    expect(cardOf(linking, 'plan').actions[1]?.details).toEqual([
      `accountId: ${account}`,
      'owner: the email of pr_owner',
    ]);
  });

  test('a customer found by e-mail is named, with what approving says', () => {
    const quote: Quote = {
      ...firstQuote,
      customer: { kind: 'adopt', customerId: 'cus_9', by: 'person' },
    };
    const card = cardOf(planWith({ quote }), 'plan', { quote });
    expect(card.notes.join(' ')).toMatch(/cus_9 was found by e-mail/);
  });

  test('an account that exists is linked under a note of what approving says', () => {
    const accountId = 'b'.repeat(32);
    const quote: Quote = { ...firstQuote, account: { kind: 'needs-consent', accountId } };
    const card = cardOf(planWith({ quote }), 'plan', { quote });
    expect(card.notes.join(' ')).toMatch(
      new RegExp(`${accountId}: known as the principal's by an e-mail address that nobody`),
    );
    expect(cardOf(plan, 'plan').notes.join(' ')).not.toContain('nobody here has verified');
  });

  test('a policy for one person says so', () => {
    const solo = builtInPolicy({ solo: true });
    expect(cardOf(planWith({ policy: solo }), 'plan', { policy: solo }).notes[0]).toMatch(
      /approved by its owner, p_owner/,
    );
    expect(excludedPersons(solo, { ...roles, requester: 'p_asker' })).toEqual([]);
  });

  test('requester, owners and, where the policy says so, the principal are excluded', () => {
    const all = {
      ...roles,
      requester: 'p_asker',
      formerOwners: ['p_old'],
      principalPerson: 'p_pal',
    };
    expect(excludedPersons(policy, all)).toEqual(['p_asker', 'p_old', 'p_owner']);
    expect(excludedPersons({ ...policy, excludePrincipal: true }, all)).toContain('p_pal');
  });

  test('a cent more is a difference that the next card names', () => {
    const quote: Quote = {
      ...firstQuote,
      domain: { kind: 'register', registrationMinor: 1121, renewalMinor: 1420, currency: 'USD' },
    };
    const before = {
      card: cardOf(plan, 'register-domain'),
      actions: plan.steps.flatMap(({ step, action }) =>
        step === PIVOT && action !== undefined ? [action] : [],
      ),
    };
    const card = cardOf(planWith({ quote, revision: 2 }), 'register-domain', {
      quote,
      previous: before,
    });
    expect(card.changes).toEqual([
      { what: 'register-domain: most it may cost', before: '11.20 USD', after: '11.21 USD' },
      { what: 'total', before: '11.20 USD', after: '11.21 USD' },
    ]);
  });

  test('what did not change keeps its digest over revisions, so a grant over it stands', () => {
    const later = planWith({ revision: 2 });
    expect(later.steps.map(({ actionDigest }) => actionDigest)).toEqual(
      plan.steps.map(({ actionDigest }) => actionDigest),
    );
  });

  test('one changed character, cent or byte is another action', () => {
    const digests = (changes: Parameters<typeof planWith>[0]) =>
      planWith(changes).steps.map(({ actionDigest }) => actionDigest);
    const same = digests({});
    const differing = (other: (string | undefined)[]) =>
      plan.steps.filter((_, index) => other[index] !== same[index]).map(({ step }) => step);
    expect(
      differing(digests({ request: requestWith({ bundle: `sha256:${'b'.repeat(64)}` }) })),
    ).toEqual(['deploy-site']);
    expect(differing(digests({ principal: { ...owner, email: 'owner@example.org' } }))).toEqual([
      'create-customer',
    ]);
    expect(
      differing(
        digests({ request: requestWith({ domain: { name: 'supersea1.club', years: 1 } }) }),
      ),
    ).toEqual(['link-account', 'register-domain', 'deploy-site', 'attach-domain']);
  });

  test('the gate lists the digests in order, and the rule of the plan', () => {
    const card = cardOf(plan, 'plan');
    const gate = buildGate({
      plan,
      gate: 'plan',
      gateId: gateIdOf({ runId: plan.runId, gate: 'plan', revision: 1 }),
      instance,
      requestDigest: requestDigestOf(requestWith()),
      excluded: excludedPersons(policy, roles),
      card,
      openedAt: '2026-11-21T09:00:00.000Z',
      expiresAt: '2026-11-22T09:00:00.000Z',
      nonce: '00112233445566778899aabbccddeeff',
    });
    expect(gate.actions).toEqual(card.actions.map(({ actionDigest }) => actionDigest));
    expect(gate).toMatchObject({
      rule: { allOf: [{ group: 'approvers', count: 1 }] },
      excluded: ['p_owner'],
      cardDigest: digestOf(card),
      environment: 'production',
    });
  });

  test('the largest request that the schema allows still fits a card, or is refused in words', () => {
    const dns = Array.from({ length: 20 }, (_, index) => ({
      type: 'TXT',
      name: `r${index}`,
      content: '~'.repeat(500),
    }));
    const request = requestWith({ dns, goal: '語'.repeat(500) });
    const quote: Quote = { ...firstQuote, dns: { kind: 'create' } };
    const input = planInput({ request, quote });
    let outcome: string;
    try {
      outcome = cardOf(planWith(input), 'plan', { request, quote }).type;
    } catch (error) {
      outcome = error instanceof Failure ? error.code : 'crash';
    }
    expect(outcome).toBe('countersign.card.v1');
  });
});
