import { z } from 'zod';
import { checkSubset, digestOf } from '../canonical.js';
import { DNS_TYPES } from '../dns-record.js';
import { durationToMs } from '../duration.js';
import { Failure, invariant } from '../errors.js';
import type { Digest } from '../ids.js';
import { pathOf, sentence, valueAt } from '../request-errors.js';
import { EFFECT_STEPS, TIERS } from '../steps.js';
import { delegationRules } from './delegations.js';
import { keys } from './keys.js';
import { MARK_LISTS } from './marks.js';
import {
  amount,
  currency,
  dataClass,
  day,
  digest,
  domainName,
  duration,
  environment,
  groups,
  httpsUrl,
  person,
  priceId,
  stepOrAll,
  suffix,
  title,
  word,
} from './members.js';
import { anomalyRules } from './anomaly-rules.js';
import { breakGlass, escalation, notices, reminders } from './notices.js';
import { SERVICES } from './services.js';

/**
 * The policy document: what may be asked for, what it may cost, who must agree. Default deny: what no rule allows is
 * refused. Amounts and durations are text, read from the source and never through a float. Rule names, as plans and
 * cards cite them, are paths in this document.
 */

/** A policy is at most this many bytes, as a file and in canonical form. */
export const POLICY_BYTES_MAX = 256 * 1024;

/** What happens to a name that looks like another: refused, or shown to a person at sign-off. */
const nameVerdict = z.enum(['deny', 'sign-off']);
const count = z.int().min(1).max(100_000);

const domains = z.strictObject({
  tlds: z.array(suffix).max(500),
  /** Names allowed letter by letter, whatever the other rules about names say. */
  names: z.array(domainName).max(1_000).default([]),
  /** Names that nobody may register, nor anything that looks like them. */
  protected: z.array(domainName).max(1_000).default([]),
  /** Lists of protected names that come with the product; a list never changes under its name. */
  protectedLists: z.array(z.enum(MARK_LISTS)).max(10).default([]),
  /** A goal that names a domain allows exactly that one. */
  goal: nameVerdict.default('deny'),
  nearNames: nameVerdict.default('deny'),
  priceCeiling: amount,
  yearsMax: z.int().min(1).max(10).default(1),
});

/** Per UTC month, but `run`, which is for the run's whole life; a request's budget only lowers it. */
const caps = z.strictObject({
  organisation: amount,
  principal: amount,
  agent: amount,
  provider: amount,
  principalProvider: amount.default('100.00 USD'),
  run: amount,
});

const counts = z.strictObject({
  /** Every send counts, repeated ones too. */
  operationsPerRun: z.int().min(1).max(100),
  openRunsPerAgent: z.int().min(1).max(1_000),
  /** Of one agent. */
  runsPerHour: z.int().min(1).max(1_000),
  /** Of the whole installation, by UTC day and month; absent: no limit. */
  newDomainsPerDay: count.optional(),
  newDomainsPerMonth: count.optional(),
  newAccountsPerDay: count.optional(),
  newAccountsPerMonth: count.optional(),
});

/** What one agent may spend without anybody agreeing, by UTC day and month; above it a person is asked. */
const unattended = z.strictObject({
  perDay: amount,
  perMonth: amount,
  above: z.enum(['approve', 'sign-off']).default('sign-off'),
});

/** The strictest rule that fits counts, whatever its place; an action that none fits is refused. */
const tier = z.strictObject({
  step: stepOrAll,
  environment: environment.optional(),
  data: z.array(dataClass).min(1).max(4).optional(),
  amountAbove: amount.optional(),
  tier: z.enum(TIERS),
});

/** Who agrees: all rules that fit add up (AND over groups); a tier that none fits is refused. */
const approval = z.strictObject({
  tier: z.enum(['approve', 'sign-off']),
  step: stepOrAll.optional(),
  environment: environment.optional(),
  data: z.array(dataClass).min(1).max(4).optional(),
  amountAbove: amount.optional(),
  allOf: groups,
});

const terms = z.strictObject({
  provider: z.enum(['stripe', 'cloudflare']),
  url: httpsUrl,
  version: title,
  digest,
});

const members = {
  format: z.literal(1),
  name: title,
  /** The one currency of all caps; everything else is refused. */
  currency,
  /** A policy for one person: that person may approve what their own agent asked for, and card and log say so. */
  solo: z.boolean().default(false),
  /** Persons who answer for this document. */
  owners: z.array(person).max(20).default([]),
  /** The first day (UTC) on which the document counts as overdue for review. */
  reviewBy: day.optional(),
  /** What being overdue does, beside a note on every card. */
  overdue: z.enum(['note', 'deny-production']).default('note'),
  environments: z.array(environment).min(1).max(3),
  /** Allowed services; absent lists mean every environment, every class of data. */
  services: z
    .array(
      z.strictObject({
        service: z.enum(SERVICES),
        environments: z.array(environment).min(1).max(3).optional(),
        data: z.array(dataClass).min(1).max(4).optional(),
      }),
    )
    .max(50),
  subscriptions: z.strictObject({
    plans: z
      .array(z.strictObject({ name: word, priceId, amount, interval: z.enum(['month', 'year']) }))
      .max(100),
  }),
  hosting: z.strictObject({ plans: z.array(z.enum(['free', 'workers-paid'])).max(2) }),
  domains,
  dns: z.strictObject({
    types: z.array(z.enum(DNS_TYPES)).max(20),
    recordsMax: z.int().min(0).max(20).default(20),
  }),
  caps,
  counts,
  unattended: unattended.optional(),
  tiers: z.array(tier).max(200),
  approvals: z.array(approval).max(100),
  /** Who may put another policy in force; absent: who signs off the dearest action in production. */
  activation: z.strictObject({ allOf: groups }).optional(),
  /** Whose words lift a stop, each signed for itself; absent: one of anybody who is asked at a gate. */
  lifting: z.strictObject({ allOf: groups }).optional(),
  keys: keys.optional(),
  /** Where an agent acts on a person's delegation alone. */
  delegations: delegationRules.optional(),
  /** The principal may be an approver too, unless excluded here; requester and owner always are (but `solo`). */
  excludePrincipal: z.boolean().default(false),
  expiry: duration,
  reminders: reminders.optional(),
  escalation: escalation.optional(),
  notices: notices.optional(),
  breakGlass: breakGlass.optional(),
  /** What counts as unusual for an agent, and what follows; absent: it is shown and told. */
  anomalies: anomalyRules.optional(),
  /** Irreversible steps that may share the gate of the plan. */
  bundleIrreversible: z.array(z.enum(EFFECT_STEPS)).max(7).default([]),
  /** What a person accepts before the first action at a provider; a new version asks again. */
  terms: z.array(terms).max(10).default([]),
  /** Who accepts terms: the approvals of this tier. */
  termsTier: z.enum(['approve', 'sign-off']).default('sign-off'),
  /** Members by person id; the register's own groups count beside them. */
  groups: z
    .array(z.strictObject({ name: word, persons: z.array(person).max(500) }))
    .max(100)
    .default([]),
};

export const policySchema = z.strictObject(members).check((ctx) => {
  for (const { path, text } of amountsOf(ctx.value))
    if (!text.endsWith(` ${ctx.value.currency}`))
      ctx.issues.push({
        code: 'custom',
        message: `not in the policy's currency ${ctx.value.currency}`,
        input: text,
        path,
      });
  for (const { path, list } of listsOf(ctx.value))
    for (const [index, one] of list.entries())
      if (list.indexOf(one) !== index)
        ctx.issues.push({
          code: 'custom',
          message: 'it stands in this list already: remove one',
          input: one,
          path: [...path, index],
        });
});

export type Policy = z.infer<typeof policySchema>;

function amountsOf(policy: Policy): { path: (string | number)[]; text: string }[] {
  const optional = (path: (string | number)[], text: string | undefined) =>
    text === undefined ? [] : [{ path, text }];
  return [
    ...Object.entries(policy.caps).map(([name, text]) => ({ path: ['caps', name], text })),
    { path: ['domains', 'priceCeiling'], text: policy.domains.priceCeiling },
    ...policy.subscriptions.plans.map((plan, index) => ({
      path: ['subscriptions', 'plans', index, 'amount'],
      text: plan.amount,
    })),
    ...policy.tiers.flatMap((rule, index) =>
      optional(['tiers', index, 'amountAbove'], rule.amountAbove),
    ),
    ...policy.approvals.flatMap((rule, index) =>
      optional(['approvals', index, 'amountAbove'], rule.amountAbove),
    ),
    ...optional(['unattended', 'perDay'], policy.unattended?.perDay),
    ...optional(['unattended', 'perMonth'], policy.unattended?.perMonth),
  ];
}

/** Lists in which nothing may stand twice: one of two plans of a name would never be looked at. */
function listsOf(policy: Policy): { path: (string | number)[]; list: readonly string[] }[] {
  return [
    { path: ['environments'], list: policy.environments },
    { path: ['owners'], list: policy.owners },
    { path: ['domains', 'tlds'], list: policy.domains.tlds },
    { path: ['domains', 'names'], list: policy.domains.names },
    { path: ['domains', 'protected'], list: policy.domains.protected },
    { path: ['subscriptions', 'plans'], list: policy.subscriptions.plans.map(({ name }) => name) },
    { path: ['groups'], list: policy.groups.map(({ name }) => name) },
    { path: ['notices'], list: (policy.notices ?? []).map(({ name }) => name) },
    { path: ['anomalies', 'gate'], list: policy.anomalies?.gate ?? [] },
    { path: ['anomalies', 'stop'], list: policy.anomalies?.stop ?? [] },
    { path: ['breakGlass'], list: (policy.breakGlass ?? []).map(({ person }) => person) },
  ];
}

/** Parses a policy document. @throws POLICY_MISSING, naming the member, when it is no valid policy: it then denies everything */
export function parsePolicy(value: unknown): Policy {
  const parsed = policySchema.safeParse(value);
  const issue = parsed.error?.issues[0];
  if (!parsed.success)
    throw new Failure(
      'POLICY_MISSING',
      `the policy is not valid: ${issue === undefined ? '' : `${pathOf(issue.path)}: ${sentence(issue, valueAt(value, issue.path))}`}`,
    );
  const problem = checkSubset(parsed.data);
  if (problem !== undefined)
    throw new Failure(
      'POLICY_MISSING',
      `the policy is not valid: ${problem.path}: ${problem.message}`,
    );
  return parsed.data;
}

/** Names a policy for ever; a comment or the order of members in its file does not change it. */
export function policyDigestOf(policy: Policy): Digest {
  return digestOf(policy);
}

/** How long a gate stays open, in ms. */
export function expiryMsOf(policy: Policy): number {
  const ms = durationToMs(policy.expiry);
  invariant(ms !== undefined, 'a parsed policy has an expiry');
  return ms;
}
