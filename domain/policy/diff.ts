import type { Rule } from '../documents.js';
import type { Plan } from '../plan.js';

/** One recorded run under two policies. Amounts in minor units of the run's currency. */
export interface RunUnderBoth {
  readonly runId: string;
  readonly old: Plan;
  readonly new: Plan;
}

export interface ChangedRun {
  readonly runId: string;
  readonly totalMinor: number;
  readonly currency: string;
  /** What the stricter side says. */
  readonly rules: readonly string[];
}

export interface ChangedApprovals {
  readonly runId: string;
  readonly old: readonly string[];
  readonly new: readonly string[];
}

export interface PolicyDiff {
  readonly runs: number;
  readonly newlyAllowed: readonly ChangedRun[];
  readonly newlyDenied: readonly ChangedRun[];
  /** Runs that would ask more persons, or others. */
  readonly extraApprovals: readonly ChangedApprovals[];
  readonly fewerApprovals: readonly ChangedApprovals[];
  /** Per currency: what the runs may cost, by who lets it happen under either policy. */
  readonly money: Readonly<Record<string, { readonly old: Moved; readonly new: Moved }>>;
}

export interface Moved {
  deniedMinor: number;
  /** Somebody agrees to it. */
  askedMinor: number;
  unattendedMinor: number;
}

/** Compares what two policies say of the same runs. */
export function diffPolicies(runs: readonly RunUnderBoth[]): PolicyDiff {
  const denied = (plan: Plan): boolean => plan.denials.length > 0;
  const changed = (run: RunUnderBoth, plan: Plan): ChangedRun => ({
    runId: run.runId,
    totalMinor: plan.totalMaxMinor,
    currency: plan.currency,
    rules: [...new Set(plan.denials.map(({ rule }) => rule))],
  });
  const asked = runs
    .filter((run) => !denied(run.old) && !denied(run.new))
    .map((run) => ({ runId: run.runId, old: asksOf(run.old), new: asksOf(run.new) }));
  return {
    runs: runs.length,
    newlyAllowed: runs
      .filter((run) => denied(run.old) && !denied(run.new))
      .map((run) => changed(run, run.old)),
    newlyDenied: runs
      .filter((run) => !denied(run.old) && denied(run.new))
      .map((run) => changed(run, run.new)),
    extraApprovals: asked.filter((run) => run.new.length > run.old.length || isOther(run)),
    fewerApprovals: asked.filter((run) => run.new.length < run.old.length),
    money: moneyOf(runs),
  };
}

/** As many signatures as before, but of other groups or at other gates. */
const isOther = (run: ChangedApprovals): boolean =>
  run.old.length === run.new.length && run.old.join() !== run.new.join();

/** Each signature that a plan asks for: `plan: approvers`. */
function asksOf({ gates }: Plan): string[] {
  const ofRule = (gate: string, { allOf }: Rule): string[] =>
    allOf.flatMap(({ group, count }) => Array.from({ length: count }, () => `${gate}: ${group}`));
  return gates.flatMap(({ gate, rule }) => ofRule(gate, rule)).sort();
}

function moneyOf(runs: readonly RunUnderBoth[]): PolicyDiff['money'] {
  const money: Record<string, { old: Moved; new: Moved }> = {};
  const nothing = (): Moved => ({ deniedMinor: 0, askedMinor: 0, unattendedMinor: 0 });
  for (const run of runs)
    for (const side of ['old', 'new'] as const) {
      const plan = run[side];
      const sums = (money[plan.currency] ??= { old: nothing(), new: nothing() })[side];
      if (plan.denials.length > 0) sums.deniedMinor += plan.totalMaxMinor;
      else
        for (const step of plan.steps)
          if (step.gate === undefined) sums.unattendedMinor += step.costMaxMinor;
          else sums.askedMinor += step.costMaxMinor;
    }
  return money;
}
