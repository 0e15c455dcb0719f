import { sql } from 'kysely';
import { canonicalize, digestOf } from '../domain/canonical.js';
import type { RunId } from '../domain/ids.js';
import type { Plan, Quote } from '../domain/plan.js';
import type { Executor } from './connect.js';

/** What a step's effect will cost again each period once it has succeeded. Minor units. */
export interface Renewal {
  readonly minor: number;
  readonly interval: 'month' | 'year';
}

/** The current revision of a run's plan, or undefined when there is none. */
export async function readPlan(db: Executor, runId: RunId): Promise<Plan | undefined> {
  const row = await db
    .selectFrom('plans')
    .innerJoin('runs', 'runs.run_id', 'plans.run_id')
    .select('plans.plan')
    .where('plans.run_id', '=', runId)
    .whereRef('plans.revision', '=', 'runs.plan_revision')
    .executeTakeFirst();
  return row === undefined ? undefined : (JSON.parse(row.plan) as Plan);
}

/** The newest revision in which this step was this very action, whatever was planned since; undefined when none was. */
export async function readPlanHolding(
  db: Executor,
  of: { readonly runId: RunId; readonly step: string; readonly digest: string },
): Promise<Plan | undefined> {
  const row = await db
    .selectFrom('plans')
    .innerJoin('plan_steps', (join) =>
      join
        .onRef('plan_steps.run_id', '=', 'plans.run_id')
        .onRef('plan_steps.revision', '=', 'plans.revision'),
    )
    .select('plans.plan')
    .where('plans.run_id', '=', of.runId)
    .where('plan_steps.step', '=', of.step)
    .where('plan_steps.digest', '=', of.digest)
    .orderBy('plans.revision', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? undefined : (JSON.parse(row.plan) as Plan);
}

/** The quote that the current revision was planned from. */
export async function readQuote(db: Executor, runId: RunId): Promise<Quote | undefined> {
  const row = await db
    .selectFrom('plans')
    .innerJoin('runs', 'runs.run_id', 'plans.run_id')
    .select('plans.quote')
    .where('plans.run_id', '=', runId)
    .whereRef('plans.revision', '=', 'runs.plan_revision')
    .executeTakeFirst();
  return row === undefined ? undefined : (JSON.parse(row.quote) as Quote);
}

/** Writes a further revision and makes it the current one. Runs inside a transaction that holds the run's row. */
export async function insertPlan(
  tx: Executor,
  of: {
    readonly plan: Plan;
    readonly quote: Quote;
    readonly renewals: Readonly<Partial<Record<string, Renewal>>>;
  },
): Promise<void> {
  const { plan } = of;
  await tx
    .insertInto('plans')
    .values({
      run_id: plan.runId,
      revision: plan.revision,
      plan: canonicalize(plan),
      digest: digestOf(plan),
      quote: JSON.stringify(of.quote),
      policy_version: plan.policyVersion,
      denials: plan.denials.length,
      created_at: sql<Date>`countersign_now()`,
    })
    .execute();
  await tx
    .insertInto('plan_steps')
    .values(
      plan.steps.map((step, position) => ({
        run_id: plan.runId,
        revision: plan.revision,
        step: step.step,
        position,
        kind: step.kind,
        tier: step.tier,
        digest: step.actionDigest ?? null,
        provider: step.action?.provider ?? null,
        cost_minor: step.costMaxMinor,
        renewal_minor: of.renewals[step.step]?.minor ?? 0,
        renewal_interval: of.renewals[step.step]?.interval ?? null,
      })),
    )
    .execute();
  await tx
    .updateTable('runs')
    .set({ plan_revision: plan.revision })
    .where('run_id', '=', plan.runId)
    .execute();
}
