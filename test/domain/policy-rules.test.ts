import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Failure } from '../../domain/errors.js';
import { builtInPolicy } from '../../domain/policy/built-in.js';
import { decideAction } from '../../domain/policy/decide.js';
import { parsePolicy, type Policy, policySchema } from '../../domain/policy/schema.js';
import {
  asksMoreThan,
  joinRules,
  stricterThan,
  type Verdict,
} from '../../domain/policy/verdict.js';
import { nowMs, planWith, policy, requestWith } from './fixtures.js';

const overriding = (override: Partial<Policy>): Policy => builtInPolicy({ override });

describe('stricter', () => {
  const rule = (group: string, count: number) => ({ allOf: [{ group, count }] });
  const verdicts: Verdict[] = [
    { verdict: 'autonomous', why: [] },
    { verdict: 'approve', why: [], approval: rule('a', 1) },
    { verdict: 'approve', why: [], approval: rule('a', 2) },
    { verdict: 'sign-off', why: [], approval: rule('a', 1) },
    { verdict: 'denied', why: [] },
  ];

  test('a later verdict of the list is stricter than an earlier one, never the other way round', () => {
    for (const [i, one] of verdicts.entries())
      for (const [j, other] of verdicts.entries()) expect(stricterThan(one, other)).toBe(i > j);
  });

  test('a comment, that is the same verdict with other reasons, is not stricter', () => {
    const [, then] = verdicts;
    expect(stricterThan({ ...then!, why: [{ rule: 'x', text: 'y' }] }, then!)).toBe(false);
  });

  test('a grant falls short of another group, a higher count and a denial', () => {
    expect(asksMoreThan(verdicts[3]!, rule('a', 1))).toBe(false);
    expect(asksMoreThan(verdicts[2]!, rule('a', 1))).toBe(true);
    expect(asksMoreThan(verdicts[3]!, rule('b', 5))).toBe(true);
    expect(asksMoreThan(verdicts[4]!, rule('a', 9))).toBe(true);
    expect(asksMoreThan(verdicts[0]!, rule('a', 1))).toBe(false);
  });

  const groupRule = fc
    .array(
      fc.record({ group: fc.constantFrom('a', 'b', 'c'), count: fc.integer({ min: 1, max: 3 }) }),
      { minLength: 1, maxLength: 4 },
    )
    .map((allOf) => ({ allOf }));

  test('joined rules are never weaker than one of them', () => {
    fc.assert(
      fc.property(groupRule, groupRule, (one, other) => {
        const joined = joinRules([one, other])!;
        for (const part of [one, other])
          expect(asksMoreThan({ verdict: 'sign-off', why: [], approval: part }, joined)).toBe(
            false,
          );
      }),
    );
  });

  test('a further rule of tiers or approvals never makes a verdict weaker', () => {
    const tier = fc.record(
      {
        step: fc.constantFrom('*', 'register-domain', 'deploy-site'),
        environment: fc.constantFrom('development', 'staging', 'production'),
        amountAbove: fc.constantFrom('0.00 USD', '10.00 USD', '50.00 USD'),
        tier: fc.constantFrom('autonomous', 'approve', 'sign-off'),
      },
      { requiredKeys: ['step', 'tier'] },
    ) as fc.Arbitrary<Policy['tiers'][number]>;
    const approval = fc.record(
      {
        tier: fc.constantFrom('approve', 'sign-off'),
        environment: fc.constantFrom('development', 'production'),
        amountAbove: fc.constantFrom('0.00 USD', '10.00 USD'),
        allOf: groupRule.map(({ allOf }) => allOf),
      },
      { requiredKeys: ['tier', 'allOf'] },
    ) as fc.Arbitrary<Policy['approvals'][number]>;
    const actions = planWith().steps.flatMap(({ action }) => action ?? []);
    fc.assert(
      fc.property(
        fc.array(tier, { minLength: 1, maxLength: 4 }),
        fc.array(approval, { maxLength: 3 }),
        tier,
        approval,
        (tiers, approvals, moreTier, moreApproval) => {
          const before = overriding({ tiers, approvals });
          for (const action of actions) {
            const facts = { request: requestWith(), action, nowMs };
            const then = decideAction(before, facts);
            // What nothing allowed, a further rule may allow: that is what rules are for.
            if (then.verdict === 'denied') continue;
            const now = decideAction({ ...before, tiers: [...tiers, moreTier] }, facts);
            expect(stricterThan(then, now)).toBe(false);
            const asked = decideAction(
              { ...before, approvals: [...approvals, moreApproval] },
              facts,
            );
            expect(stricterThan(then, asked)).toBe(false);
          }
        },
      ),
    );
  });
});

describe('a policy document', () => {
  const good = JSON.parse(JSON.stringify(policy)) as Record<string, unknown>;
  const refusalOf = (value: unknown): string => {
    try {
      parsePolicy(value);
    } catch (error) {
      if (error instanceof Failure && error.code === 'POLICY_MISSING') return error.message;
      throw error;
    }
    return 'accepted';
  };

  test.each<[string, unknown, RegExp]>([
    ['an unknown member', { ...good, cap: 1 }, /unknown member "cap"/],
    [
      'a number for an amount',
      { ...good, domains: { ...policy.domains, priceCeiling: 40 } },
      /domains\.priceCeiling: 40 is a number/,
    ],
    ['an amount without cents', { ...good, caps: { ...policy.caps, run: '100 USD' } }, /caps\.run/],
    [
      'another currency inside',
      { ...good, caps: { ...policy.caps, run: '100.00 EUR' } },
      /caps\.run.*currency USD/,
    ],
    [
      'a regular expression as a TLD',
      { ...good, domains: { ...policy.domains, tlds: ['.*'] } },
      /domains\.tlds\[0\]/,
    ],
    ['a duration in words', { ...good, expiry: 'a day' }, /expiry/],
    [
      'a tier for verify-site',
      { ...good, tiers: [{ step: 'verify-site', tier: 'approve' }] },
      /tiers\[0\]/,
    ],
    ['no tiers', { ...good, tiers: undefined }, /tiers: is missing/],
    ['an unknown format', { ...good, format: 2 }, /format/],
    ['nothing', null, /not valid/],
  ])('with %s is refused, naming the member', (_, value, message) => {
    expect(refusalOf(value)).toMatch(message);
  });

  test('no value whatever makes the parser crash', () => {
    fc.assert(
      fc.property(fc.anything(), fc.constantFrom(...Object.keys(good)), (value, member) => {
        expect(typeof refusalOf(value)).toBe('string');
        expect(typeof refusalOf({ ...good, [member]: value })).toBe('string');
      }),
    );
  });

  test('the cap of a principal at a provider is 100.00 USD a month unless the policy says otherwise', () => {
    const parsed = policySchema.parse({
      ...good,
      caps: { ...policy.caps, principalProvider: undefined },
    });
    expect(parsed.caps.principalProvider).toBe('100.00 USD');
  });
});
