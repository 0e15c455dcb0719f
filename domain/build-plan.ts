import { type Anomaly, consequenceOf } from './anomalies.js';
import { digestOf } from './canonical.js';
import { invariant } from './errors.js';
import { instantToMs } from './instant.js';
import type { Digest } from './ids.js';
import type { Denial, Plan, PlanStep, Quote, Terms } from './plan.js';
import { type ActionContext, type PlannedStep, PLANNERS } from './plan-actions.js';
import { USUAL } from './policy/anomaly-rules.js';
import { decidePlan, type PlanDecision } from './policy/decide.js';
import type { Policy } from './policy/schema.js';
import type { UnattendedSoFar } from './policy/unattended.js';
import type { Reason, Verdict } from './policy/verdict.js';
import { type EffectStep, STEPS, type StepName } from './steps.js';

export interface PlanInput extends Omit<ActionContext, 'currency'> {
  readonly revision: number;
  readonly policy: Policy;
  readonly policyVersion: number;
  readonly policyDigest: Digest;
  /** Digests of the terms whose acceptance for this principal is on record. */
  readonly acceptedTerms: readonly string[];
  /** What the agent has spent without a person, beside this run; absent: nothing. */
  readonly unattended?: UnattendedSoFar;
  /** What is unusual about it for its agent; absent: nothing. */
  readonly anomalies?: readonly Anomaly[];
}

/**
 * The plan of a run: each step with its exact action, cost, reversal and residue; what the policy says of it; the
 * gates, totals and losses. Pure: the same quote and policy give the same plan. Amounts in minor units.
 */
export function buildPlan(input: PlanInput): Plan {
  const { request, quote, policy } = input;
  const ctx: ActionContext = { ...input, currency: policy.currency };
  const planned = STEPS.map((step) => ({ step, planned: PLANNERS[step](ctx) }));
  const actions = planned.flatMap(({ planned: one }) => (one.kind === 'act' ? [one.action] : []));
  const terms = termsNeeded(input, actions);
  const needsPerson =
    terms.length > 0 || (quote.customer.kind === 'adopt' && quote.customer.by === 'person');
  const decision = decidePlan(policy, {
    request,
    actions,
    needsPerson,
    ...(input.unattended === undefined ? {} : { unattended: input.unattended }),
    unusual: unusualOf(input),
    nowMs: instantToMs(quote.quotedAt) ?? Number.POSITIVE_INFINITY,
  });
  const steps = planned.map(({ step, planned: one }) => planStep(step, one, decision));
  const recurring = recurringOf(steps, quote);
  return {
    runId: input.runId,
    revision: input.revision,
    environment: request.environment,
    policyVersion: input.policyVersion,
    policyDigest: input.policyDigest,
    currency: policy.currency,
    steps,
    totalMaxMinor: sum(steps.map(({ costMaxMinor }) => costMaxMinor)),
    // Everything is charged when the run acts: nothing of a plan is billed later but renewals.
    firstChargeMinor: sum(steps.map(({ costMaxMinor }) => costMaxMinor)),
    ...recurring,
    worstCase: worstCaseOf(steps),
    denials: [...decision.denials.map(toDenial), ...unavailable(quote, request.domain.name)],
    gates: quote.domain.kind === 'unavailable' ? [] : decision.gates,
    terms,
    ...(input.anomalies === undefined || input.anomalies.length === 0
      ? {}
      : { anomalies: input.anomalies }),
  };
}

/** What of it the policy has a person look at. */
function unusualOf({ anomalies = [], policy }: PlanInput): Reason[] {
  const rules = policy.anomalies ?? USUAL;
  return anomalies
    .filter(({ kind }) => consequenceOf(kind, rules) !== 'note')
    .map(({ kind, text }) => ({ rule: `anomalies.${kind}`, text }));
}

const sum = (amounts: readonly number[]): number =>
  amounts.reduce((total, amount) => total + amount, 0);

function termsNeeded(
  { policy, acceptedTerms }: PlanInput,
  actions: readonly { readonly provider: string }[],
): Terms[] {
  return policy.terms.filter(
    ({ provider, digest }) =>
      !acceptedTerms.includes(digest) && actions.some((action) => action.provider === provider),
  );
}

function unavailable({ domain }: Quote, name: string): Denial[] {
  return domain.kind === 'unavailable'
    ? [{ rule: 'domains.available', message: `${name} cannot be registered: ${domain.reason}` }]
    : [];
}

const toDenial = ({ rule, text }: Reason): Denial => ({ rule, message: text });

function planStep(step: StepName, planned: PlannedStep, decision: PlanDecision): PlanStep {
  const { title } = planned;
  if (planned.kind !== 'act')
    return {
      step,
      kind: planned.kind,
      title,
      tier: 'autonomous',
      because: [],
      costMaxMinor: 0,
      reversal: 'none',
      residue: { minor: 0, text: 'nothing is changed' },
    };
  const { action, digest } = planned;
  const verdict = decision.verdicts.get(action.step);
  invariant(verdict !== undefined, `the policy decided ${action.step}`);
  const gate = decision.gates.find(({ steps }) => steps.includes(action.step))?.gate;
  return {
    step,
    kind: 'act',
    title,
    action,
    actionDigest: digest,
    tier: tierOf(verdict),
    because: verdict.why.map(({ rule }) => rule),
    costMaxMinor: action.costMaxMinor,
    reversal: action.reversal,
    residue: action.residue,
    ...(gate === undefined ? {} : { gate }),
  };
}

/** A denied step never runs; until then it shows the strictest tier. */
function tierOf({ verdict }: Verdict): PlanStep['tier'] {
  return verdict === 'denied' ? 'sign-off' : verdict;
}

/** What goes on being charged by itself, and what keeping the domain would cost: its renewal is off and never automatic. */
function recurringOf(
  steps: readonly PlanStep[],
  { subscription, domain }: Quote,
): { monthlyMinor: number; yearlyMinor: number } {
  const acts = (step: EffectStep): boolean =>
    steps.some((one) => one.step === step && one.kind === 'act');
  const amount =
    subscription.kind === 'create' && acts('start-subscription') ? subscription.amountMinor : 0;
  const perYear = subscription.kind === 'create' && subscription.interval === 'year';
  const renewal = domain.kind === 'register' && acts('register-domain') ? domain.renewalMinor : 0;
  return { monthlyMinor: perYear ? 0 : amount, yearlyMinor: (perYear ? amount : 0) + renewal };
}

/** What would be lost if the run stopped after each step and was unwound. */
function worstCaseOf(steps: readonly PlanStep[]): Plan['worstCase'] {
  let lossMinor = 0;
  return steps
    .filter(({ kind }) => kind === 'act')
    .map(({ step, residue }) => {
      lossMinor += residue.minor;
      return { afterStep: step, lossMinor };
    });
}

/** Names a plan for ever. */
export function planDigestOf(plan: Plan): Digest {
  return digestOf(plan);
}
