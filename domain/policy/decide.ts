import { dataClassOf } from '../data-class.js';
import type { ActionDocument, Rule } from '../documents.js';
import { formatAmount, parseAmount } from '../money.js';
import { isTeardown, operationSpec } from '../operations.js';
import { type EffectStep, PIVOT, type Tier } from '../steps.js';
import type { Request } from '../request.js';
import { actionAsks } from './action-asks.js';
import { requestAsks } from './request-asks.js';
import { reviewAsks } from './review.js';
import type { Policy } from './schema.js';
import { serviceAsks } from './service-asks.js';
import { teardownAsks } from './teardown-asks.js';
import { unattendedRule, type UnattendedSoFar } from './unattended.js';
import { type Ask, joinRules, type Reason, strictest, type Verdict } from './verdict.js';

/** All that the policy looks at: the admitted request, the exact action, the database's clock. No caller's word. */
export interface ActionFacts {
  readonly request: Request;
  readonly action: ActionDocument;
  /** In ms; only the day of review is held against it. */
  readonly nowMs: number;
}

/** Decides one action. Without a valid policy everything is denied. */
export function decideAction(
  policy: Policy | undefined,
  { request, action, nowMs }: ActionFacts,
): Verdict {
  if (policy === undefined)
    return denied('policy', 'no valid policy is in force: everything is denied');
  const known = operationSpec(action.operation);
  if (known?.step !== action.step || known.provider !== action.provider)
    return denied('tiers', `${action.operation} is no operation of the step ${action.step}`);
  if (action.environment !== request.environment)
    return denied(
      'environments',
      `the run is for ${request.environment}, not ${action.environment}`,
    );
  // guard: a run that tears down does nothing else, and no other run tears anything down.
  if (isTeardown(action.operation) !== (request.tearsDown !== undefined))
    return denied('request', `${action.operation} is not what this run asks for`);
  const asks =
    request.tearsDown === undefined
      ? provisionAsks(policy, { request, action, nowMs })
      : [
          ...reviewAsks(policy, request, nowMs),
          ...teardownAsks(policy, request, action),
          ...tierAsks(policy, request, action),
        ];
  return withApproval(policy, strictest(asks), {
    request,
    steps: [action.step],
    amountMinor: action.costMaxMinor,
  });
}

function provisionAsks(policy: Policy, { request, action, nowMs }: ActionFacts): Ask[] {
  const asks: Ask[] = [
    ...requestAsks(policy, request).filter((ask) => concerns(ask, action.step)),
    ...reviewAsks(policy, request, nowMs),
    ...serviceAsks(policy, request, action.step),
    ...actionAsks(policy, request, action),
    ...tierAsks(policy, request, action),
  ];
  if (!asks.some((ask) => ask.rule.startsWith('tiers[')))
    asks.push({ verdict: 'denied', rule: 'tiers', text: `no rule lets ${action.step} happen` });
  return asks;
}

/** A name is judged wherever it is bought, pointed or served; it does not make a customer dangerous. */
function concerns(ask: Ask, step: EffectStep): boolean {
  return (
    !ask.rule.startsWith('domains.') ||
    ['register-domain', 'configure-dns', 'deploy-site', 'attach-domain'].includes(step)
  );
}

function denied(rule: string, text: string): Verdict {
  return { verdict: 'denied', why: [{ rule, text }] };
}

function tierAsks(policy: Policy, request: Request, action: ActionDocument): Ask[] {
  return policy.tiers.flatMap((rule, index) => {
    const above = rule.amountAbove === undefined ? -1 : parseAmount(rule.amountAbove).minor;
    const fits =
      (rule.step === '*' || rule.step === action.step) &&
      (rule.environment === undefined || rule.environment === action.environment) &&
      (rule.data?.includes(dataClassOf(request)) ?? true) &&
      action.costMaxMinor > above;
    if (!fits) return [];
    const parts = [
      rule.step === '*' ? 'every step' : rule.step,
      ...(rule.environment === undefined ? [] : [`in ${rule.environment}`]),
      ...(rule.data === undefined ? [] : [`with ${dataClassOf(request)} data`]),
      ...(rule.amountAbove === undefined ? [] : [`above ${rule.amountAbove}`]),
    ];
    return [
      { verdict: rule.tier, rule: `tiers[${index}]`, text: `${parts.join(' ')}: ${rule.tier}` },
    ];
  });
}

function withApproval(policy: Policy, verdict: Verdict, of: Omit<ApprovalFacts, 'tier'>): Verdict {
  if (verdict.verdict === 'denied' || verdict.verdict === 'autonomous') return verdict;
  const approval = approvalFor(policy, { tier: verdict.verdict, ...of });
  return approval === undefined
    ? denied('approvals', `nobody is named who could agree to ${verdict.verdict}`)
    : { ...verdict, approval };
}

export interface ApprovalFacts {
  readonly tier: Exclude<Tier, 'autonomous'>;
  readonly request: Pick<Request, 'environment' | 'data'>;
  /** What is agreed to at once. */
  readonly steps: readonly EffectStep[];
  /** Of all of it, in the policy's currency. */
  readonly amountMinor: number;
}

/** The joined rule of all approvals that fit; undefined when none does. */
export function approvalFor(policy: Policy, of: ApprovalFacts): Rule | undefined {
  const fitting = policy.approvals.filter(
    (rule) =>
      rule.tier === of.tier &&
      (rule.step === undefined || rule.step === '*' || of.steps.includes(rule.step)) &&
      (rule.environment === undefined || rule.environment === of.request.environment) &&
      (rule.data?.includes(dataClassOf(of.request)) ?? true) &&
      (rule.amountAbove === undefined || of.amountMinor > parseAmount(rule.amountAbove).minor),
  );
  return joinRules(fitting.map(({ allOf }) => ({ allOf })));
}

export interface PlanDecision {
  /** Empty: nothing keeps the run from going on. */
  readonly denials: readonly Reason[];
  readonly verdicts: ReadonlyMap<EffectStep, Verdict>;
  readonly gates: readonly PlannedGate[];
}

export interface PlannedGate {
  /** `plan`, or the name of the irreversible step that stands alone. */
  readonly gate: string;
  readonly rule: Rule;
  readonly steps: readonly EffectStep[];
}

export interface PlanFacts {
  readonly request: Request;
  readonly actions: readonly ActionDocument[];
  /** The database's clock, in ms. */
  readonly nowMs: number;
  /** What the agent has spent without a person, beside this run; absent: nothing. */
  readonly unattended?: UnattendedSoFar;
  /** What is unusual about the run, where the policy has a person look at it; absent: nothing. */
  readonly unusual?: readonly Reason[];
  /** A person's word is needed even if every action is autonomous: terms to accept, a customer found by e-mail. */
  readonly needsPerson: boolean;
}

/** Decides a whole plan: every denial at once, each action's tier, and the gates that cover what people must agree to. */
export function decidePlan(policy: Policy | undefined, facts: PlanFacts): PlanDecision {
  const { request, actions, nowMs } = facts;
  const single = new Map(
    actions.map((action) => [action.step, decideAction(policy, { request, action, nowMs })]),
  );
  if (policy === undefined) {
    const { why } = denied('policy', 'no valid policy is in force: everything is denied');
    return { denials: why, verdicts: single, gates: [] };
  }
  const verdicts = raised(policy, facts, single);
  const denials = unique([
    // What may not be asked for any more may still be taken down.
    ...(request.tearsDown === undefined ? requestAsks(policy, request) : []).filter(
      (ask) => ask.verdict === 'denied',
    ),
    ...reviewAsks(policy, request, nowMs),
    ...planDenials(policy, facts),
    ...[...verdicts.values()].flatMap(({ verdict, why }) => (verdict === 'denied' ? why : [])),
  ]);
  if (denials.length > 0) return { denials, verdicts, gates: [] };
  return { denials, verdicts, gates: gatesOf(policy, facts, verdicts) };
}

/**
 * What would need nobody needs somebody where the run is unusual, and what costs something once the agent has spent its
 * share unattended.
 */
function raised(
  policy: Policy,
  { request, actions, unattended, unusual = [] }: PlanFacts,
  verdicts: ReadonlyMap<EffectStep, Verdict>,
): ReadonlyMap<EffectStep, Verdict> {
  if (unusual.length > 0) {
    const alone = actions.filter(({ step }) => verdicts.get(step)?.verdict === 'autonomous');
    const asked = alone.map((action) => {
      const of = { request, steps: [action.step], amountMinor: action.costMaxMinor };
      return [
        action.step,
        withApproval(policy, { verdict: 'sign-off', why: [...unusual] }, of),
      ] as const;
    });
    return new Map([...verdicts, ...asked]);
  }
  const free = actions.filter(
    ({ step, costMaxMinor }) => costMaxMinor > 0 && verdicts.get(step)?.verdict === 'autonomous',
  );
  const above = unattendedRule(policy, free, unattended ?? { dayMinor: 0, monthMinor: 0 });
  if (above === undefined || policy.unattended === undefined) return verdicts;
  const verdict = policy.unattended.above;
  const asked = free.map(
    (action) =>
      [
        action.step,
        withApproval(
          policy,
          { verdict, why: [above] },
          { request, steps: [action.step], amountMinor: action.costMaxMinor },
        ),
      ] as const,
  );
  return new Map([...verdicts, ...asked]);
}

function unique(reasons: readonly Reason[]): Reason[] {
  const seen = new Map(
    reasons.map(({ rule, text }) => [`${rule} ${text}`, { rule, text }] as const),
  );
  return [...seen.values()];
}

function planDenials(policy: Policy, { request, actions, needsPerson }: PlanFacts): Reason[] {
  const reasons: Reason[] = [];
  const accepting = { tier: policy.termsTier, request, steps: [], amountMinor: 0 } as const;
  if (needsPerson && approvalFor(policy, accepting) === undefined)
    reasons.push({
      rule: 'approvals',
      text: `nobody is named who could accept terms (${policy.termsTier})`,
    });
  const { minor: budgetMinor, currency } = parseAmount(request.budget);
  const totalMinor = actions.reduce((sum, action) => sum + action.costMaxMinor, 0);
  const runMinor = parseAmount(policy.caps.run).minor;
  const capMinor = Math.min(runMinor, budgetMinor);
  if (totalMinor > capMinor)
    reasons.push({
      rule: 'caps.run',
      text: `the plan may cost ${formatAmount({ minor: totalMinor, currency })}, above the ${
        budgetMinor <= runMinor ? "request's budget" : 'cap of a run'
      } of ${formatAmount({ minor: capMinor, currency })}`,
    });
  if (actions.length > policy.counts.operationsPerRun)
    reasons.push({
      rule: 'counts.operationsPerRun',
      text: `${actions.length} operations, at most ${policy.counts.operationsPerRun} are allowed`,
    });
  return reasons;
}

function gatesOf(
  policy: Policy,
  { request, actions, needsPerson }: PlanFacts,
  verdicts: ReadonlyMap<EffectStep, Verdict>,
): PlannedGate[] {
  const alone = (action: ActionDocument): boolean =>
    request.tearsDown === undefined &&
    action.step === PIVOT &&
    !policy.bundleIrreversible.includes(PIVOT);
  const asked = actions.filter((action) => verdicts.get(action.step)?.verdict !== 'autonomous');
  const bundled = asked.filter((action) => !alone(action));
  // Something to sign must be listed: a person's word over an autonomous plan covers all of it.
  const first =
    bundled.length === 0 && needsPerson ? actions.filter((action) => !alone(action)) : bundled;
  const gate = (
    name: string,
    covered: readonly ActionDocument[],
    withTerms: boolean,
  ): PlannedGate[] => {
    const rule = ruleOver(policy, request, covered, { verdicts, withTerms });
    return covered.length === 0 || rule === undefined
      ? []
      : [{ gate: name, rule, steps: covered.map((action) => action.step) }];
  };
  return [
    ...gate('plan', first, needsPerson),
    ...asked
      .filter(alone)
      .flatMap((one) => gate(one.step, [one], needsPerson && first.length === 0)),
  ];
}

/** One gate's rule: what each action asks, and what their sum asks, so that splitting a sum evades nothing. */
function ruleOver(
  policy: Policy,
  request: Request,
  covered: readonly ActionDocument[],
  of: { verdicts: ReadonlyMap<EffectStep, Verdict>; withTerms: boolean },
): Rule | undefined {
  const { verdicts } = of;
  const amountMinor = covered.reduce((sum, action) => sum + action.costMaxMinor, 0);
  const own = covered.flatMap((action) => {
    const approval = verdicts.get(action.step)?.approval;
    return approval === undefined ? [] : [approval];
  });
  const tiers = new Set([
    ...(of.withTerms ? [policy.termsTier] : []),
    ...covered.map((action) =>
      verdicts.get(action.step)?.verdict === 'sign-off' ? ('sign-off' as const) : 'approve',
    ),
  ]);
  const steps = covered.map(({ step }) => step);
  const overSum = [...tiers].flatMap((tier) => {
    const rule = approvalFor(policy, { tier, request, steps, amountMinor });
    return rule === undefined ? [] : [rule];
  });
  return joinRules([...own, ...overSum]);
}
