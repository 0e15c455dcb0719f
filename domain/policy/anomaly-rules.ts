import { z } from 'zod';

/** What is unusual for an agent. Names that policies, notices and metrics hold: append-only. */
export const ANOMALIES = [
  'new-provider',
  'new-service',
  'new-environment',
  'new-order',
  'burst',
  'spending-spike',
  'repeated-denials',
  'hasty-decision',
] as const;
export type AnomalyKind = (typeof ANOMALIES)[number];

const kind = z.enum(ANOMALIES);
const minutes = z.int().min(1).max(1_440);

/**
 * What counts as unusual for an agent, and what follows. Each kind is looked for whatever is written here; a kind that is
 * not listed under `gate` or `stop` is shown and told, and nothing more.
 */
export const anomalyRules = z.strictObject({
  /** Runs in which an agent has done something before "never used" is said of it: everything is new to a new agent. */
  baselineRuns: z.int().min(1).max(100).default(3),
  /** More runs than this within `burstMinutes`. */
  burstRuns: z.int().min(1).max(1_000).default(5),
  burstMinutes: minutes.default(10),
  /** A plan that may cost more than this many times the median of the agent's earlier ones. */
  spikeFactor: z.int().min(2).max(1_000).default(5),
  /** At least so many runs denied or rejected within `denialMinutes`. */
  denials: z.int().min(1).max(100).default(3),
  denialMinutes: minutes.default(60),
  /** An approval in less than this after its gate was opened: nobody reads a card so fast. */
  hastySeconds: z.int().min(1).max(600).default(3),
  /** Kinds after which everything of the run needs a person; an approval in haste has to be given again. */
  gate: z.array(kind).max(ANOMALIES.length).default([]),
  /** Kinds that hold the run still until a person resumes it. */
  stop: z.array(kind).max(ANOMALIES.length).default([]),
});
export type AnomalyRules = z.infer<typeof anomalyRules>;

/** What holds where a policy says nothing of anomalies. */
export const USUAL: AnomalyRules = anomalyRules.parse({});

/** The rules as text, for an agent's system prompt. */
export function anomaliesExplained(rules: AnomalyRules = USUAL): string[] {
  const named = (kinds: readonly string[]): string =>
    kinds.length === 0 ? 'none' : kinds.join(', ');
  return [
    `- Unusual is: what an agent never used in its runs so far (from ${rules.baselineRuns} runs on), more than ${rules.burstRuns} runs in ${rules.burstMinutes} minutes, more than ${rules.spikeFactor} times the usual cost, ${rules.denials} or more refused runs in ${rules.denialMinutes} minutes, an approval in less than ${rules.hastySeconds} s.`,
    `- Unusual kinds that need a person: ${named(rules.gate)}; that hold the run: ${named(rules.stop)}; any other is shown and told.`,
  ];
}
