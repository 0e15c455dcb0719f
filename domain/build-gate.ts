import { detailsOf, needsWord, notesOf, titleOf } from './card-words.js';
import { canonicalBytes, digestOf, STATEMENT_BYTES_MAX } from './canonical.js';
import {
  type ActionDocument,
  type CardDocument,
  cardSchema,
  type GateDocument,
  gateSchema,
  type Rule,
} from './documents.js';
import { Failure, invariant } from './errors.js';
import { cardChanges } from './gate-changes.js';
import type { Digest, GateId, Instance } from './ids.js';
import type { Plan, PlanStep, Quote, Terms } from './plan.js';
import { decideAction } from './policy/decide.js';
import type { Policy } from './policy/schema.js';
import type { Request } from './request.js';
import { PIVOT } from './steps.js';

/** Who has to do with a run, as the register knows them. Ids, never e-mail addresses. */
export interface Roles {
  readonly requester: string;
  readonly agent: string;
  readonly owner: string;
  readonly principal: string;
  /** The person behind the principal, where the register knows one. */
  readonly principalPerson?: string;
  /** Everybody who has answered for one of the agents since the admission. */
  readonly formerOwners?: readonly string[];
  /** The agents that this one acts for, outermost first, each with its owner at admission. */
  readonly via?: readonly { readonly agent: string; readonly owner: string }[];
}

export interface CardInput {
  readonly instance: Instance;
  readonly plan: Plan;
  readonly gate: string;
  readonly request: Request;
  readonly quote: Quote;
  readonly policy: Policy;
  /** The database's clock, in ms. */
  readonly nowMs: number;
  readonly roles: Roles;
  /** Use of each cap before this run and with all that it reserves; minor units. */
  readonly caps: CardDocument['caps'];
  readonly site: { readonly files: number; readonly bytes: number };
  /** The former revision of this gate: its card and actions, to name the differences. */
  readonly previous?: { readonly card: CardDocument; readonly actions: readonly ActionDocument[] };
  /** Gates of this run that one person passed alone, and who. */
  readonly passedAlone?: readonly { readonly gateId: string; readonly person: string }[];
}

const PERSON = /^p_[a-z0-9][a-z0-9_-]{0,62}$/;

/** Persons who cannot decide over this run: requester, whoever answers or answered for an agent of the chain, the principal where the policy says so. None in a `solo` policy. */
export function excludedPersons(policy: Policy, roles: Roles): string[] {
  if (policy.solo) return [];
  const ids = [
    roles.requester,
    roles.owner,
    ...(roles.formerOwners ?? []),
    ...(policy.excludePrincipal ? [roles.principalPerson ?? ''] : []),
  ];
  return [...new Set(ids.filter((id) => PERSON.test(id)))].sort();
}

type ActStep = PlanStep & { readonly action: ActionDocument; readonly actionDigest: Digest };

/** The steps that a gate of the plan covers, in order. */
export function stepsOfGate(plan: Plan, gate: string): ActStep[] {
  return plan.steps.filter(
    (step): step is ActStep =>
      step.gate === gate && step.action !== undefined && step.actionDigest !== undefined,
  );
}

/** Terms are accepted at the first gate of a plan. */
export function termsOfGate(plan: Plan, gate: string): readonly Terms[] {
  return plan.gates[0]?.gate === gate ? plan.terms : [];
}

/** The card of a gate: everything a person is shown, as data. @throws REQUEST_INVALID when it would not fit a statement */
export function buildCard(input: CardInput): CardDocument {
  const { plan, gate, request, roles } = input;
  const covered = stepsOfGate(plan, gate);
  invariant(covered.length > 0, `the gate ${gate} covers an action`);
  const tearsDown = request.tearsDown !== undefined;
  const irreversible = tearsDown || covered.some(({ step }) => step === PIVOT);
  const total = sum(covered.map(({ costMaxMinor }) => costMaxMinor));
  const card: CardDocument = {
    type: 'countersign.card.v1',
    instance: input.instance,
    runId: plan.runId,
    title: titleOf(covered, { minor: total, currency: plan.currency }, request),
    environment: plan.environment,
    requester: roles.requester,
    agent: roles.agent,
    owner: roles.owner,
    principal: roles.principal,
    agentWords: request.goal,
    actions: covered.map((step) => ({
      step: step.action.step,
      title: step.title,
      details: detailsOf(step.action),
      actionDigest: step.actionDigest,
      costMaxMinor: step.costMaxMinor,
      reversal: step.action.reversal,
      residue: step.action.residue,
    })),
    otherSteps: plan.steps
      .filter((step) => step.gate !== gate && step.kind !== 'skip')
      .map((step) => ({ step: step.step, title: step.title, gate: step.gate ?? '' })),
    currency: plan.currency,
    totalMaxMinor: total,
    firstChargeMinor: total,
    monthlyMinor: plan.monthlyMinor,
    yearlyMinor: plan.yearlyMinor,
    worstCase: plan.worstCase.map((one) => ({ ...one })),
    caps: input.caps,
    why: reasonsOf(input, covered),
    terms: termsOfGate(plan, gate).map((terms) => ({ ...terms })),
    ...(!tearsDown && covered.some(({ step }) => step === 'deploy-site')
      ? { site: { bundle: request.bundle, ...input.site } }
      : {}),
    changes: [],
    notes: notesOf({ ...input, owner: roles.owner, via: roles.via ?? [] }, covered),
    ...(irreversible ? { typeToConfirm: request.domain.name } : {}),
    policyVersion: plan.policyVersion,
    policyDigest: plan.policyDigest,
  };
  const changes =
    input.previous === undefined
      ? []
      : cardChanges(input.previous, { card, actions: covered.map(({ action }) => action) });
  return fitting(cardSchema.parse({ ...card, changes }));
}

const sum = (amounts: readonly number[]): number =>
  amounts.reduce((total, amount) => total + amount, 0);

function fitting(card: CardDocument): CardDocument {
  if (canonicalBytes(card).length > STATEMENT_BYTES_MAX)
    throw new Failure(
      'REQUEST_INVALID',
      `what is asked for does not fit a card of ${STATEMENT_BYTES_MAX} bytes: name fewer DNS records`,
    );
  return card;
}

function reasonsOf(
  { policy, request, plan, gate, quote, nowMs }: CardInput,
  covered: readonly ActStep[],
): CardDocument['why'] {
  const reasons = covered.flatMap(({ action, because }) => {
    const { verdict, why } = decideAction(policy, { request, action, nowMs });
    if (verdict !== 'autonomous') return why;
    // The action by itself needs nobody; what the agent has spent before it does.
    return because
      .filter((rule) => rule.startsWith('unattended.'))
      .map((rule) => ({ rule, text: 'more than this agent may spend without a person' }));
  });
  if (termsOfGate(plan, gate).length > 0)
    reasons.push({ rule: 'terms', text: 'terms of service are accepted by a person' });
  if (needsWord(quote))
    reasons.push({
      rule: 'customers',
      text: 'a customer found by e-mail is used on a person’s word',
    });
  const seen = new Map(reasons.map((reason) => [`${reason.rule} ${reason.text}`, reason]));
  return [...seen.values()].slice(0, 50);
}

export interface GateInput {
  readonly plan: Plan;
  readonly gate: string;
  readonly gateId: GateId;
  readonly instance: Instance;
  readonly requestDigest: Digest;
  readonly excluded: readonly string[];
  readonly card: CardDocument;
  readonly openedAt: string;
  readonly expiresAt: string;
  /** 128 random bits in hex, drawn by the caller. */
  readonly nonce: string;
}

/** The gate document: what a decision signs. `excluded` from `excludedPersons`; instants from the database's clock. */
export function buildGate(input: GateInput): GateDocument {
  const { plan, gate } = input;
  return gateSchema.parse({
    type: 'countersign.gate.v1',
    instance: input.instance,
    environment: plan.environment,
    runId: plan.runId,
    gateId: input.gateId,
    requestDigest: input.requestDigest,
    policyDigest: plan.policyDigest,
    rule: ruleOfGate(plan, gate),
    excluded: input.excluded,
    actions: stepsOfGate(plan, gate).map(({ actionDigest }) => actionDigest),
    cardDigest: digestOf(input.card),
    openedAt: input.openedAt,
    expiresAt: input.expiresAt,
    nonce: input.nonce,
  });
}

/** Who must agree at a gate of the plan. */
export function ruleOfGate(plan: Plan, gate: string): Rule {
  const rule = plan.gates.find((one) => one.gate === gate)?.rule;
  invariant(rule !== undefined, `the plan has a gate ${gate}`);
  return rule;
}
