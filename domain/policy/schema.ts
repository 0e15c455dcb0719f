import { z } from 'zod';
import { checkSubset, digestOf } from '../canonical.js';
import { DNS_TYPES } from '../dns-record.js';
import { domainNameProblem } from '../domain-name.js';
import { durationToMs } from '../duration.js';
import { Failure, invariant } from '../errors.js';
import type { Digest } from '../ids.js';
import { amountProblem } from '../money.js';
import { pathOf, sentence, valueAt } from '../request-errors.js';
import { EFFECT_STEPS, ENVIRONMENTS, TIERS } from '../steps.js';

/**
 * The policy document: what may be asked for, what it may cost, who must agree. Default deny: what no rule allows is
 * refused. Amounts and durations are text, read from the source and never through a float. Rule names, as plans and
 * cards cite them, are paths in this document.
 */

const word = z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/);
const amount = z.string().check((ctx) => {
  const message = amountProblem(ctx.value);
  if (message !== undefined) ctx.issues.push({ code: 'custom', message, input: ctx.value });
});
const duration = z
  .string()
  .refine(
    (text) => durationToMs(text) !== undefined,
    'write a whole number and s, m, h or d, like 24h',
  );
const domainName = z
  .string()
  .refine(
    (text) => domainNameProblem(text, [text]) === undefined,
    'not an exact lower-case domain name',
  )
  .refine((text) => text === text.toLowerCase(), 'write it in lower case');
const suffix = z
  .string()
  .regex(/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z]{2,63}$/, 'write a TLD like club or co.uk');
const environment = z.enum(ENVIRONMENTS);
const group = z.strictObject({ group: word, count: z.int().min(1).max(20) });
/** What happens to a name that looks like another: refused, or shown to a person at sign-off. */
const nameVerdict = z.enum(['deny', 'sign-off']);

export const policySchema = z
  .strictObject({
    format: z.literal(1),
    name: z.string().min(1).max(80),
    /** The one currency of all caps; everything else is refused. */
    currency: z.string().regex(/^[A-Z]{3}$/),
    /** A policy for one person: that person may approve what their own agent asked for, and card and log say so. */
    solo: z.boolean().default(false),
    environments: z.array(environment).min(1),
    subscriptions: z.strictObject({
      plans: z.array(
        z.strictObject({
          name: word,
          priceId: z.string().regex(/^price_[A-Za-z0-9_]{1,120}$/),
          amount,
          interval: z.enum(['month', 'year']),
        }),
      ),
    }),
    hosting: z.strictObject({ plans: z.array(z.enum(['free', 'workers-paid'])) }),
    domains: z.strictObject({
      tlds: z.array(suffix),
      /** Names allowed letter by letter, whatever the other rules about names say. */
      names: z.array(domainName).default([]),
      /** Names that nobody may register, nor anything that looks like them. */
      protected: z.array(domainName).default([]),
      /** A goal that names a domain allows exactly that one. */
      goal: nameVerdict.default('deny'),
      nearNames: nameVerdict.default('deny'),
      priceCeiling: amount,
      yearsMax: z.int().min(1).max(10).default(1),
    }),
    dns: z.strictObject({
      types: z.array(z.enum(DNS_TYPES)),
      recordsMax: z.int().min(0).max(20).default(20),
    }),
    /** Per UTC month, but `run`, which is for the run's whole life; a request's budget only lowers it. */
    caps: z.strictObject({
      organisation: amount,
      principal: amount,
      agent: amount,
      provider: amount,
      principalProvider: amount.default('100.00 USD'),
      run: amount,
    }),
    counts: z.strictObject({
      operationsPerRun: z.int().min(1).max(100),
      openRunsPerAgent: z.int().min(1).max(1_000),
      runsPerHour: z.int().min(1).max(1_000),
    }),
    /** The strictest rule that fits counts, whatever its place; an action that none fits is refused. */
    tiers: z.array(
      z.strictObject({
        step: z.union([z.enum(EFFECT_STEPS), z.literal('*')]),
        environment: environment.optional(),
        amountAbove: amount.optional(),
        tier: z.enum(TIERS),
      }),
    ),
    /** Who agrees: all rules that fit add up (AND over groups); a tier that none fits is refused. */
    approvals: z.array(
      z.strictObject({
        tier: z.enum(['approve', 'sign-off']),
        environment: environment.optional(),
        amountAbove: amount.optional(),
        allOf: z.array(group).min(1).max(10),
      }),
    ),
    /** The principal may be an approver too, unless excluded here; requester and owner always are (but `solo`). */
    excludePrincipal: z.boolean().default(false),
    expiry: duration,
    /** Irreversible steps that may share the gate of the plan. */
    bundleIrreversible: z.array(z.enum(EFFECT_STEPS)).default([]),
    /** What a person accepts before the first action at a provider; a new version asks again. */
    terms: z
      .array(
        z.strictObject({
          provider: z.enum(['stripe', 'cloudflare']),
          url: z.string().regex(/^https:\/\/[!-~]{1,1000}$/),
          version: z.string().min(1).max(80),
          digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
        }),
      )
      .max(10)
      .default([]),
    /** Members by person id; the register's own groups count beside them. */
    groups: z
      .array(
        z.strictObject({
          name: word,
          persons: z.array(z.string().regex(/^p_[a-z0-9][a-z0-9_-]{0,62}$/)),
        }),
      )
      .default([]),
  })
  .check((ctx) => {
    for (const { path, text } of amountsOf(ctx.value))
      if (!text.endsWith(` ${ctx.value.currency}`))
        ctx.issues.push({
          code: 'custom',
          message: `not in the policy's currency ${ctx.value.currency}`,
          input: text,
          path,
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
    ...policy.tiers.flatMap((tier, index) =>
      optional(['tiers', index, 'amountAbove'], tier.amountAbove),
    ),
    ...policy.approvals.flatMap((approval, index) =>
      optional(['approvals', index, 'amountAbove'], approval.amountAbove),
    ),
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
