import { formatAmount, parseAmount } from '../money.js';
import { PIVOT } from '../steps.js';
import { activationRule } from './activation.js';
import { isOverdue, overdueText } from './review.js';
import type { Policy } from './schema.js';

/** What is allowed to stand in a policy and is still worth a second look. */
export interface LintFinding {
  readonly path: readonly (string | number)[];
  readonly text: string;
}

/** Looks a valid policy over. `nowMs` tells whether its review is overdue. */
export function lintPolicy(policy: Policy, nowMs: number): LintFinding[] {
  return [
    ...stewardship(policy, nowMs),
    ...limits(policy),
    ...agreement(policy),
    ...unaffordable(policy),
  ];
}

function stewardship(policy: Policy, nowMs: number): LintFinding[] {
  const findings: LintFinding[] = [];
  if (policy.owners.length === 0)
    findings.push({ path: ['owners'], text: 'nobody answers for this document: name its owners' });
  if (policy.reviewBy === undefined)
    findings.push({
      path: ['reviewBy'],
      text: 'no day of review: rules that nobody reads grow old',
    });
  if (isOverdue(policy, nowMs)) findings.push({ path: ['reviewBy'], text: overdueText(policy) });
  return findings;
}

function limits({ counts, domains, unattended, tiers }: Policy): LintFinding[] {
  const findings: LintFinding[] = [];
  for (const name of [
    'newDomainsPerDay',
    'newDomainsPerMonth',
    'newAccountsPerDay',
    'newAccountsPerMonth',
  ] as const)
    if (counts[name] === undefined)
      findings.push({ path: ['counts', name], text: 'absent, so there is no such limit' });
  const asksForAll = tiers.some(
    ({ step, environment, data, amountAbove, tier }) =>
      step === '*' &&
      tier !== 'autonomous' &&
      environment === undefined &&
      data === undefined &&
      (amountAbove === undefined || parseAmount(amountAbove).minor === 0),
  );
  if (unattended === undefined && !asksForAll)
    findings.push({
      path: ['unattended'],
      text: 'money may be spent without a person, and nothing limits how much in a day: set unattended, or ask from 0.00 on',
    });
  if (domains.protected.length === 0 && domains.protectedLists.length === 0)
    findings.push({ path: ['domains', 'protected'], text: 'no name is protected' });
  return findings;
}

function agreement(policy: Policy): LintFinding[] {
  const findings: LintFinding[] = [];
  const { approvals, solo } = policy;
  for (const tier of ['approve', 'sign-off'] as const)
    if (
      policy.tiers.some((rule) => rule.tier === tier) &&
      !approvals.some((rule) => rule.tier === tier)
    )
      findings.push({
        path: ['approvals'],
        text: `nobody could agree to ${tier}: what needs it is denied`,
      });
  for (const [index, { allOf }] of approvals.entries())
    if (solo && allOf.reduce((sum, { count }) => sum + count, 0) > 1)
      findings.push({
        path: ['approvals', index],
        text: 'more persons than the one who governs: it could never be agreed to',
      });
  const lifters = policy.lifting?.allOf.reduce((sum, { count }) => sum + count, 0) ?? 1;
  if (solo && lifters > 1)
    findings.push({
      path: ['lifting'],
      text: 'more persons than the one who governs: no stop could ever be lifted',
    });
  if (activationRule(policy) === undefined)
    findings.push({ path: ['activation'], text: 'nobody could ever put another policy in force' });
  for (const [index, { name, persons }] of policy.groups.entries())
    if (persons.length === 0)
      findings.push({ path: ['groups', index], text: `the group ${name} has no member here` });
  if (policy.bundleIrreversible.some((step) => step === PIVOT))
    findings.push({
      path: ['bundleIrreversible'],
      text: 'the purchase of a name, which cannot be undone, has no gate of its own',
    });
  return findings;
}

function unaffordable({ subscriptions, domains, caps, currency }: Policy): LintFinding[] {
  const least = Math.min(...Object.values(caps).map((text) => parseAmount(text).minor));
  const shown = formatAmount({ minor: least, currency });
  const above = (text: string): boolean => parseAmount(text).minor > least;
  return [
    ...subscriptions.plans.flatMap((plan, index) =>
      above(plan.amount)
        ? [
            {
              path: ['subscriptions', 'plans', index, 'amount'],
              text: `${plan.amount} is above the lowest cap of ${shown}: ${plan.name} can never be bought`,
            },
          ]
        : [],
    ),
    ...(above(domains.priceCeiling)
      ? [
          {
            path: ['domains', 'priceCeiling'],
            text: `${domains.priceCeiling} is above the lowest cap of ${shown}`,
          },
        ]
      : []),
  ];
}
