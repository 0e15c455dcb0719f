import type { Anomaly } from './anomalies.js';
import { digestOf } from './canonical.js';
import { type ActionDocument, actionSchema } from './documents.js';
import { invariant } from './errors.js';
import { type Digest, effectIdOf, type Instance, type RunId } from './ids.js';
import { TEARDOWNS, type TeardownName } from './operations.js';
import type { Plan, PlanStep, Quote } from './plan.js';
import { decidePlan, type PlanDecision } from './policy/decide.js';
import type { Policy } from './policy/schema.js';
import type { Request } from './request.js';
import type { EffectStep } from './steps.js';

/** One thing that a completed run made, as its settled row has it. */
export interface Made {
  readonly step: EffectStep;
  readonly object: string;
  /** The provider account that it was made in. */
  readonly account: string;
  /** Of the action that made it. */
  readonly digest: string;
  readonly params: ActionDocument['params'];
  /** What was paid for it and not given back. Minor units. */
  readonly paidMinor: number;
  /** Runs that count upon it. */
  readonly usedBy: readonly string[];
}

export interface TeardownInput {
  readonly instance: Instance;
  readonly runId: RunId;
  readonly revision: number;
  readonly request: Request;
  readonly policy: Policy;
  readonly policyVersion: number;
  readonly policyDigest: Digest;
  readonly nowMs: number;
  /** What of the run still stands, and belongs to it. */
  readonly made: readonly Made[];
  readonly anomalies: readonly Anomaly[];
}

/** Backwards: what serves others goes first. The account stays: a name cannot leave it. */
export const TEARDOWN_STEPS = [
  'attach-domain',
  'deploy-site',
  'configure-dns',
  'register-domain',
  'start-subscription',
  'create-customer',
] as const satisfies readonly EffectStep[];

/** Nothing is bought and nothing adopted: what a teardown is planned from is the record, not a price. */
export const nothingQuoted = (quotedAt: string): Quote => ({
  quotedAt,
  customer: { kind: 'create' },
  account: { kind: 'create' },
  subscription: { kind: 'none' },
  domain: { kind: 'unavailable', reason: 'a teardown registers nothing' },
  site: { kind: 'first' },
  customDomain: { kind: 'attach' },
  dns: { kind: 'none' },
});

/**
 * The plan of a teardown: each thing that the run made and that still stands, last made first, each an action that no
 * reversal makes good. Pure. What another run counts upon denies the whole plan, by that run's name.
 */
export function buildTeardown(input: TeardownInput): Plan {
  const { made, policy, request, runId } = input;
  const acts = TEARDOWN_STEPS.flatMap((step) => {
    const one = made.find((thing) => thing.step === step);
    return one === undefined ? [] : [actOf(input, one)];
  });
  const decision = decidePlan(policy, {
    request,
    actions: acts.map(({ action }) => action),
    needsPerson: false,
    nowMs: input.nowMs,
  });
  const steps = acts.map((one) => planStep(one, decision));
  const denials = [
    ...decision.denials.map(({ rule, text }) => ({ rule, message: text })),
    ...made.flatMap((one) =>
      one.usedBy.length === 0
        ? []
        : [{ rule: RECORDED, message: `${one.object} was adopted by ${one.usedBy.join(', ')}` }],
    ),
    ...(acts.length === 0
      ? [{ rule: RECORDED, message: `nothing of ${request.tearsDown ?? ''} is left to tear down` }]
      : []),
  ];
  return {
    runId,
    revision: input.revision,
    environment: request.environment,
    policyVersion: input.policyVersion,
    policyDigest: input.policyDigest,
    currency: policy.currency,
    steps,
    totalMaxMinor: 0,
    firstChargeMinor: 0,
    monthlyMinor: 0,
    yearlyMinor: 0,
    worstCase: lossesOf(steps),
    denials,
    gates: denials.length > 0 ? [] : decision.gates,
    terms: [],
    ...(input.anomalies.length === 0 ? {} : { anomalies: input.anomalies }),
  };
}

/** The same teardown as another policy decides it: what is taken down stays as recorded. Pure. */
export function redecideTeardown(
  recorded: Plan,
  of: Pick<TeardownInput, 'request' | 'policy' | 'policyVersion' | 'policyDigest' | 'nowMs'>,
): Plan {
  const { policy, request, nowMs } = of;
  const acts = recorded.steps.flatMap(({ action, actionDigest: digest, title }) =>
    action === undefined || digest === undefined ? [] : [{ title, action, digest }],
  );
  const actions = acts.map(({ action }) => action);
  const decision = decidePlan(policy, { request, actions, needsPerson: false, nowMs });
  const denials = [
    ...decision.denials.map(({ rule, text }) => ({ rule, message: text })),
    ...recorded.denials.filter(({ rule }) => rule === RECORDED),
  ];
  return {
    ...recorded,
    policyVersion: of.policyVersion,
    policyDigest: of.policyDigest,
    currency: policy.currency,
    steps: acts.map((act) => planStep(act, decision)),
    denials,
    gates: denials.length > 0 ? [] : decision.gates,
  };
}

/** The rule of what the record denies, whatever the policy says. */
const RECORDED = 'teardown';

interface Act {
  readonly title: string;
  readonly action: ActionDocument;
  readonly digest: Digest;
}

function actOf(input: TeardownInput, made: Made): Act {
  const { instance, policy, request, runId } = input;
  const { step } = made;
  const operation = `teardown.${step}` as TeardownName;
  const words = WORDS[step](made, request);
  const action = actionSchema.parse({
    type: 'countersign.action.v1',
    instance,
    environment: request.environment,
    runId,
    step,
    provider: TEARDOWNS[operation].provider,
    account: made.account,
    operation,
    params: { run: request.tearsDown ?? '', object: made.object, made: made.digest },
    costMaxMinor: 0,
    currency: policy.currency,
    reversal: TEARDOWNS[operation].reversal,
    residue: { minor: words.leftMinor ?? 0, text: words.left },
    effectKey: effectIdOf({ instance, runId, step, kind: 'act' }),
  });
  return { title: words.title, action, digest: digestOf(action) };
}

interface Words {
  readonly title: string;
  /** What stays, or is lost, once it is done. */
  readonly left: string;
  readonly leftMinor?: number;
}

const WORDS: Readonly<Record<EffectStep, (made: Made, request: Request) => Words>> = {
  'attach-domain': (_made, { domain: { name } }) => ({
    title: `Detach ${name} from the site`,
    left: `${name} answers nothing any more`,
  }),
  'deploy-site': ({ params }) =>
    params['previousVersion'] === undefined
      ? { title: `Delete the site ${textOf(params['script'])}`, left: 'the site is gone' }
      : {
          title: `Bring the former version of the site ${textOf(params['script'])} back`,
          left: 'the former version answers again',
        },
  'configure-dns': (_made, { domain: { name } }) => ({
    title: `Delete the DNS records that the run made in ${name}`,
    left: 'the records are gone',
  }),
  'register-domain': ({ paidMinor }, { domain: { name } }) => ({
    title: `Keep ${name} from renewing`,
    left: `${name} stays registered and paid for until it expires, in its Cloudflare account, which stays too`,
    leftMinor: paidMinor,
  }),
  'start-subscription': ({ object }) => ({
    title: `Cancel the subscription ${object} at once, without a refund`,
    left: 'what was paid for the period that runs is not given back',
  }),
  'create-customer': ({ object }) => ({
    title: `Delete the customer ${object} at Stripe`,
    left: 'the customer is gone; invoices and payments stay in the books of Stripe',
  }),
  'link-account': ({ object }) => ({ title: `Leave the account ${object}`, left: 'it stays' }),
};

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function planStep({ action, digest, title }: Act, decision: PlanDecision): PlanStep {
  const verdict = decision.verdicts.get(action.step);
  invariant(verdict !== undefined, `the policy decided ${action.step}`);
  const gate = decision.gates.find(({ steps }) => steps.includes(action.step))?.gate;
  return {
    step: action.step,
    kind: 'act',
    title,
    action,
    actionDigest: digest,
    tier: verdict.verdict === 'denied' ? 'sign-off' : verdict.verdict,
    because: verdict.why.map(({ rule }) => rule),
    costMaxMinor: 0,
    reversal: 'none',
    residue: action.residue,
    ...(gate === undefined ? {} : { gate }),
  };
}

function lossesOf(steps: readonly PlanStep[]): Plan['worstCase'] {
  let lossMinor = 0;
  return steps.map(({ step, residue }) => {
    lossMinor += residue.minor;
    return { afterStep: step, lossMinor };
  });
}
