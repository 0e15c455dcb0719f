import { type Anomaly, consequenceOf, hastyDecision, planAnomalies } from '../domain/anomalies.js';
import type { Plan } from '../domain/plan.js';
import { type AnomalyRules, USUAL } from '../domain/policy/anomaly-rules.js';
import type { Policy } from '../domain/policy/schema.js';
import { addAnomaly, agentHistory } from '../store/anomalies.js';
import type { Database, Executor } from '../store/connect.js';
import type { Row } from '../store/schema.js';
import { createDoor } from './door.js';
import { stop } from './stop.js';

const rulesOf = (policy: Policy): AnomalyRules => policy.anomalies ?? USUAL;

/** What is unusual about a first plan, by what its agent did before. */
export async function unusualAbout(
  db: Executor,
  of: { readonly plan: Plan; readonly agent: string; readonly policy: Policy },
): Promise<readonly Anomaly[]> {
  const { agent, plan, policy } = of;
  const acts = plan.steps.flatMap(({ action }) =>
    action === undefined ? [] : [{ step: action.step, provider: action.provider }],
  );
  const planned = { environment: plan.environment, acts, totalMinor: plan.totalMaxMinor };
  return planAnomalies(
    planned,
    await agentHistory(db, { agent, runId: plan.runId }),
    rulesOf(policy),
  );
}

/** Puts what is unusual about a plan on record, in the transaction that writes it. */
export async function recordUnusual(tx: Executor, plan: Plan, policy: Policy): Promise<void> {
  for (const { kind, text } of plan.anomalies ?? [])
    await addAnomaly(tx, {
      runId: plan.runId,
      kind,
      text,
      consequence: consequenceOf(kind, rulesOf(policy)),
      dedupe: `${plan.runId}:${kind}:${text}`.slice(0, 500),
    });
}

/** The first of them after which the policy holds a run still. */
export function holding(anomalies: readonly Anomaly[], policy: Policy): Anomaly | undefined {
  return anomalies.find(({ kind }) => consequenceOf(kind, rulesOf(policy)) === 'stop');
}

/** Holds a run still until a person has looked; reversals go on, as under any stop. */
export async function holdUnusual(
  db: Database,
  of: { readonly runId: string; readonly anomaly: Anomaly },
): Promise<void> {
  await stop(
    { db, door: createDoor(db) },
    {
      scope: `run/${of.runId}`,
      reason: `unusual (${of.anomaly.kind}): ${of.anomaly.text}`.slice(0, 500),
      by: 'policy',
      proven: true,
      mode: 'hold',
    },
  );
}

/** An approve that came sooner than anybody reads a card: on record, and what the policy has follow. */
export async function haste(
  tx: Executor,
  of: {
    readonly gate: Row<'gates'>;
    readonly decision: string;
    readonly sha256: string;
    readonly now: Date;
    readonly policy: Policy;
  },
): Promise<{ readonly anomaly: Anomaly; readonly then: 'note' | 'gate' | 'stop' } | undefined> {
  if (of.decision !== 'approve') return undefined;
  const rules = rulesOf(of.policy);
  const anomaly = hastyDecision(of.now.getTime() - of.gate.opened_at.getTime(), rules);
  if (anomaly === undefined) return undefined;
  const then = consequenceOf(anomaly.kind, rules);
  await addAnomaly(tx, {
    runId: of.gate.run_id,
    ...anomaly,
    consequence: then,
    dedupe: `${of.gate.gate_id}:${of.sha256}`,
  });
  return { anomaly, then };
}
