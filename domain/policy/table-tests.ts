import { z } from 'zod';
import { consequenceOf } from '../anomalies.js';
import { buildPlan } from '../build-plan.js';
import { DATA_CLASSES } from '../data-class.js';
import { domainNameProblem } from '../domain-name.js';
import { parseInstance, parseRunId } from '../ids.js';
import { instantToMs } from '../instant.js';
import { amountProblem, parseAmount } from '../money.js';
import type { Plan } from '../plan.js';
import { DNS_TYPES } from '../dns-record.js';
import { parseRequest } from '../request.js';
import { EFFECT_STEPS, ENVIRONMENTS, TIERS } from '../steps.js';
import { ANOMALIES, USUAL } from './anomaly-rules.js';
import { policyDigestOf, type Policy } from './schema.js';

/**
 * The table beside a policy file (`<name>.tests.yaml`): requests, each with what the policy is to say of it. A request is
 * played as a first run of a new principal, at the prices the case names.
 */

const amount = z.string().check((ctx) => {
  const message = amountProblem(ctx.value);
  if (message !== undefined) ctx.issues.push({ code: 'custom', message, input: ctx.value });
});
const rules = z.array(z.string().min(1).max(80)).max(20);
const perStep = <T extends z.ZodType>(value: T) => z.partialRecord(z.enum(EFFECT_STEPS), value);

const caseSchema = z.strictObject({
  name: z.string().min(1).max(120),
  request: z.strictObject({
    goal: z.string().min(1).max(500).default('A new site'),
    environment: z.enum(ENVIRONMENTS).default('development'),
    data: z.enum(DATA_CLASSES).optional(),
    domain: z.string().refine((name) => domainNameProblem(name, [name]) === undefined, {
      message: 'write an exact domain name like superseal.club',
    }),
    years: z.int().min(1).max(10).default(1),
    subscription: z.string().max(63).optional(),
    hosting: z.enum(['free', 'workers-paid']).default('free'),
    budget: amount.optional(),
    dns: z.array(z.enum(DNS_TYPES)).max(20).default([]),
  }),
  /** What the registrar asks for the name. */
  domainPrice: amount.optional(),
  /** What is there already, so that only the rest is planned. */
  running: z
    .array(z.enum(['domain', 'subscription', 'account']))
    .max(3)
    .default([]),
  /** What is unusual about it for its agent. */
  unusual: z.array(z.enum(ANOMALIES)).max(ANOMALIES.length).default([]),
  /** What its agent has spent already without a person: this day, and this month. */
  spentAlone: z.strictObject({ day: amount, month: amount }).optional(),
  /** When it is asked: an instant; absent: long before any day of review. */
  at: z
    .string()
    .refine((text) => instantToMs(text) !== undefined, {
      message: 'write an instant like 2027-05-31T09:00:00.000Z',
    })
    .default('2000-01-01T00:00:00.000Z'),
  expect: z.strictObject({
    verdict: z.enum(['allowed', 'denied']),
    /** Rules that deny it: all of them. */
    rules: rules.optional(),
    tiers: perStep(z.enum(TIERS)).optional(),
    /** Is it held still until a person resumes it, for what is unusual about it? */
    held: z.boolean().optional(),
    /** The gates in order; each with who must agree, as `2 of approvers`. */
    gates: z
      .array(z.strictObject({ gate: z.string().max(60), asks: rules }))
      .max(8)
      .optional(),
  }),
});

export const policyTestsSchema = z.strictObject({ cases: z.array(caseSchema).min(1).max(500) });
export type PolicyCase = z.infer<typeof caseSchema>;

export interface CaseResult {
  readonly name: string;
  /** What came out otherwise, one sentence each; empty: as expected. */
  readonly wrong: readonly string[];
}

/** Plays every case of a table against a policy. Pure. */
export function runPolicyTests(policy: Policy, cases: readonly PolicyCase[]): CaseResult[] {
  return cases.map((one) => ({
    name: one.name,
    wrong: [...wrongOf(one, planOf(policy, one)), ...wrongHold(policy, one)],
  }));
}

function wrongHold({ anomalies = USUAL }: Policy, { expect, unusual }: PolicyCase): string[] {
  const held = unusual.some((kind) => consequenceOf(kind, anomalies) === 'stop');
  return expect.held === undefined || expect.held === held
    ? []
    : [`held: expected ${String(expect.held)}, found ${String(held)}`];
}

function wrongOf({ expect }: PolicyCase, plan: Plan): string[] {
  const wrong: string[] = [];
  const check = (what: string, expected: string, found: string): void => {
    if (expected !== found) wrong.push(`${what}: expected ${expected}, found ${found}`);
  };
  const denials = plan.denials.map(({ rule }) => rule);
  const found = denials.length === 0 ? 'allowed' : `denied by ${denials.join(', ')}`;
  check('verdict', expect.verdict, denials.length === 0 ? 'allowed' : 'denied');
  if (wrong.length > 0) return [`verdict: expected ${expect.verdict}, found ${found}`];
  if (expect.rules !== undefined)
    check(
      'rules',
      [...new Set(expect.rules)].sort().join(', '),
      [...new Set(denials)].sort().join(', '),
    );
  for (const [step, tier] of Object.entries(expect.tiers ?? {})) {
    const planned = plan.steps.find((one) => one.step === step);
    check(`tier of ${step}`, tier, planned?.kind === 'act' ? planned.tier : 'nothing to do');
  }
  if (expect.gates !== undefined) {
    const said = (gates: readonly { gate: string; asks: readonly string[] }[]): string =>
      gates.map(({ gate, asks }) => `${gate} (${[...asks].sort().join(' and ')})`).join(', ') ||
      'none';
    check(
      'gates',
      said(expect.gates),
      said(
        plan.gates.map(({ gate, rule }) => ({
          gate,
          asks: rule.allOf.map(({ group, count }) => `${count} of ${group}`),
        })),
      ),
    );
  }
  return wrong;
}

const NOBODY = {
  principalId: 'pr_example',
  email: 'owner@example.com',
  name: 'Example',
  salt: '0'.repeat(64),
};

function planOf(policy: Policy, one: PolicyCase): Plan {
  const { request: asked } = one;
  const { currency } = policy;
  const plan = policy.subscriptions.plans.find(({ name }) => name === asked.subscription);
  const priceMinor = parseAmount(one.domainPrice ?? `10.00 ${currency}`).minor;
  const has = (what: PolicyCase['running'][number]): boolean => one.running.includes(what);
  const amountMinor = plan === undefined ? 0 : parseAmount(plan.amount).minor;
  const paid = { amountMinor, currency, interval: plan?.interval ?? 'month' } as const;
  return buildPlan({
    instance: parseInstance('0'.repeat(32)),
    runId: parseRunId('example'),
    revision: 1,
    request: parseRequest({
      goal: asked.goal,
      principal: NOBODY.email,
      agent: 'example-agent',
      environment: asked.environment,
      ...(asked.data === undefined ? {} : { data: asked.data }),
      ...(asked.subscription === undefined ? {} : { subscription: { plan: asked.subscription } }),
      hosting: { plan: asked.hosting },
      domain: { name: asked.domain, years: asked.years },
      dns: asked.dns.map(recordOf),
      bundle: `sha256:${'0'.repeat(64)}`,
      budget: asked.budget ?? policy.caps.run,
    }),
    quote: {
      quotedAt: one.at,
      customer: has('subscription')
        ? { kind: 'adopt', customerId: 'cus_example', by: 'marker' }
        : { kind: 'create' },
      account: has('account')
        ? { kind: 'link', accountId: '0'.repeat(32), name: 'example', recorded: true }
        : { kind: 'create' },
      subscription:
        asked.subscription === undefined
          ? { kind: 'none' }
          : has('subscription')
            ? { kind: 'running', subscriptionId: 'sub_example', ...paid }
            : { kind: 'create', priceId: plan?.priceId ?? 'price_unknown', ...paid },
      domain: has('domain')
        ? { kind: 'running', zoneId: '0'.repeat(32), renewalMinor: priceMinor, currency }
        : { kind: 'register', registrationMinor: priceMinor, renewalMinor: priceMinor, currency },
      site: { kind: 'first' },
      customDomain: { kind: 'attach' },
      dns: asked.dns.length === 0 ? { kind: 'none' } : { kind: 'create' },
    },
    policy,
    policyVersion: 1,
    policyDigest: policyDigestOf(policy),
    principal: NOBODY,
    acceptedTerms: [],
    anomalies: one.unusual.map((kind) => ({ kind, text: 'as the table has it' })),
    ...(one.spentAlone === undefined
      ? {}
      : {
          unattended: {
            dayMinor: parseAmount(one.spentAlone.day).minor,
            monthMinor: parseAmount(one.spentAlone.month).minor,
          },
        }),
  });
}

const CONTENT: Readonly<Record<string, string>> = {
  A: '192.0.2.1',
  AAAA: '2001:db8::1',
  CNAME: 'target.example',
  TXT: 'a text',
};

function recordOf(
  type: (typeof DNS_TYPES)[number],
  index: number,
): { type: string; name: string; content: string } {
  return { type, name: `r${index}`, content: CONTENT[type] ?? 'target.example' };
}
