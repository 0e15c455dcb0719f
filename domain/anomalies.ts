import type { AnomalyKind, AnomalyRules } from './policy/anomaly-rules.js';
import { serviceOf } from './policy/services.js';
import type { EffectStep, Environment, ProviderName } from './steps.js';

export interface Anomaly {
  readonly kind: AnomalyKind;
  /** In our words, with ids and amounts alone. */
  readonly text: string;
}

/** One earlier run of the agent in which it did something: what it did, in order, and what that may have cost. */
export interface FormerRun {
  readonly environment: Environment;
  readonly acts: readonly Act[];
  /** In minor units. */
  readonly totalMinor: number;
}

export interface Act {
  readonly step: EffectStep;
  readonly provider: ProviderName;
}

/** What is known of an agent when a run of its own is planned. */
export interface AgentHistory {
  /** Runs that did something, newest first. */
  readonly former: readonly FormerRun[];
  /** When each run of the agent was admitted, this one included; ms before now. */
  readonly admittedAgoMs: readonly number[];
  /** When a run of the agent was denied or rejected; ms before now. */
  readonly refusedAgoMs: readonly number[];
}

/** What a run is planned to do. */
export type Planned = FormerRun;

const MINUTE_MS = 60_000;

/** What is unusual about a run that is planned now, by what its agent did before. */
export function planAnomalies(
  planned: Planned,
  history: AgentHistory,
  rules: AnomalyRules,
): Anomaly[] {
  return [
    ...neverUsed(planned, history.former, rules),
    ...burst(history, rules),
    ...spike(planned, history.former, rules),
    ...denials(history, rules),
  ];
}

function neverUsed(planned: Planned, former: readonly FormerRun[], rules: AnomalyRules): Anomaly[] {
  if (former.length < rules.baselineRuns || planned.acts.length === 0) return [];
  const before = former.flatMap(({ acts }) => acts);
  const providers = fresh(
    planned.acts.map(({ provider }) => provider),
    before.map(({ provider }) => provider),
  );
  const services = fresh(
    planned.acts.map(({ step }) => serviceOf(step)),
    before.map(({ step }) => serviceOf(step)),
  );
  const environments = fresh(
    [planned.environment],
    former.map(({ environment }) => environment),
  );
  const inRuns = `in ${former.length} runs so far`;
  const never = (kind: AnomalyKind, names: readonly string[], what: string): Anomaly[] =>
    names.map((name) => ({ kind, text: `this agent never used ${what}${name} ${inRuns}` }));
  const order = orderOf(planned);
  return [
    ...never('new-provider', providers, 'the provider '),
    ...never('new-service', services, 'the service '),
    ...never('new-environment', environments, 'the environment '),
    ...(former.some((run) => orderOf(run) === order)
      ? []
      : never('new-order', [order], 'this order of operations: ')),
  ];
}

const orderOf = ({ acts }: FormerRun): string => acts.map(({ step }) => step).join(', ');

function fresh<T>(now: readonly T[], before: readonly T[]): T[] {
  const known = new Set(before);
  return [...new Set(now)].filter((one) => !known.has(one));
}

function burst({ admittedAgoMs }: AgentHistory, rules: AnomalyRules): Anomaly[] {
  const within = admittedAgoMs.filter((ago) => ago < rules.burstMinutes * MINUTE_MS).length;
  return within > rules.burstRuns
    ? [{ kind: 'burst', text: `${within} runs of this agent in ${rules.burstMinutes} minutes` }]
    : [];
}

function spike(planned: Planned, former: readonly FormerRun[], rules: AnomalyRules): Anomaly[] {
  if (former.length < rules.baselineRuns) return [];
  const usual = median(former.map(({ totalMinor }) => totalMinor));
  return planned.totalMinor > rules.spikeFactor * usual
    ? [
        {
          kind: 'spending-spike',
          text: `up to ${planned.totalMinor} minor units, more than ${rules.spikeFactor} times the ${usual} that are usual for this agent`,
        },
      ]
    : [];
}

function denials({ refusedAgoMs }: AgentHistory, rules: AnomalyRules): Anomaly[] {
  const within = refusedAgoMs.filter((ago) => ago < rules.denialMinutes * MINUTE_MS).length;
  return within >= rules.denials
    ? [
        {
          kind: 'repeated-denials',
          text: `${within} runs of this agent were denied or rejected in ${rules.denialMinutes} minutes`,
        },
      ]
    : [];
}

/** The lower of the two in the middle where their number is even: money is whole. */
function median(amounts: readonly number[]): number {
  const sorted = [...amounts].sort((one, other) => one - other);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
}

/** An approval that came sooner than anybody reads a card. */
export function hastyDecision(afterMs: number, rules: AnomalyRules): Anomaly | undefined {
  return afterMs < rules.hastySeconds * 1_000
    ? {
        kind: 'hasty-decision',
        text: `approved ${(afterMs / 1_000).toFixed(1)} s after the gate was opened`,
      }
    : undefined;
}

/** What the policy has follow: nothing but telling, a person's word, or the run held still. The stricter counts. */
export function consequenceOf(kind: AnomalyKind, rules: AnomalyRules): 'note' | 'gate' | 'stop' {
  if (rules.stop.includes(kind)) return 'stop';
  return rules.gate.includes(kind) ? 'gate' : 'note';
}
