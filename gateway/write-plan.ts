import { Failure } from '../domain/errors.js';
import type { Plan, Quote } from '../domain/plan.js';
import type { Policy } from '../domain/policy/schema.js';
import type { Executor } from '../store/connect.js';
import { appendLog } from '../store/log.js';
import { insertPlan } from '../store/plans.js';
import type { Renewal } from '../store/plans.js';
import { takenUnder } from '../store/taken-under.js';
import { recordUnusual } from './anomalies.js';
import type { PlanSummary } from './contract.js';
import type { Parts } from './parts.js';
import type { RunRecord } from './record.js';

export interface Writing {
  readonly run: RunRecord;
  readonly plan: Plan;
  readonly quote: Quote;
  readonly policy: Policy;
  /** What the run was planned to do before, unless that was denied. */
  readonly standing?: { readonly plan: Plan; readonly quote: Quote };
}

/**
 * Writes a further revision of the plan.
 * @throws BUSY when something that the plan counts upon is being taken back: it is planned again afterwards
 */
export async function writePlan(db: Parts['db'], of: Writing): Promise<PlanSummary> {
  const { plan } = of;
  return db.transaction().execute(async (tx) => {
    const row = await tx
      .selectFrom('runs')
      .select('plan_revision')
      .where('run_id', '=', plan.runId)
      .forUpdate()
      .executeTakeFirstOrThrow();
    if (row.plan_revision !== plan.revision - 1)
      throw new Failure('STORE_UNAVAILABLE', `run ${plan.runId} was planned twice at once`);
    await insertPlan(tx, { plan, quote: of.quote, renewals: renewalsOf(plan) });
    if (plan.denials.length === 0) await mustStay(tx, of);
    await recordUnusual(tx, plan, of.policy);
    await appendLog(tx, {
      kind: 'planned',
      runId: plan.runId,
      payload: {
        revision: plan.revision,
        policyVersion: plan.policyVersion,
        totalMaxMinor: plan.totalMaxMinor,
        denials: plan.denials.map(({ rule }) => rule),
      },
    });
    return { plan, denials: plan.denials };
  });
}

/** How long a reversal is given before what it leaves is looked at again. In ms. */
const TAKEN_BACK_MS = 2_000;

/** guard: what is being taken back is not built upon; the reversal, in turn, looks for adopters behind its mark. */
async function mustStay(tx: Executor, { run, standing, ...of }: Writing): Promise<void> {
  const { domain, principal, request } = run.row;
  const taken = await takenUnder(tx, {
    ...of,
    domain,
    principal,
    request,
    standing: standing === undefined ? undefined : { ...standing, domain, request },
  });
  if (taken === undefined) return;
  throw new Failure(
    'BUSY',
    `${taken.step} of run ${taken.runId} is being taken back, and the plan counts upon it: it is planned again`,
    { step: taken.step },
    TAKEN_BACK_MS,
  );
}

/** A subscription goes on being charged once it has begun; its renewals are reserved first each month. */
function renewalsOf(plan: Plan): Readonly<Partial<Record<string, Renewal>>> {
  const action = plan.steps.find(({ step }) => step === 'start-subscription')?.action;
  const { amountMinor, interval } = action?.params ?? {};
  if (typeof amountMinor !== 'number' || (interval !== 'month' && interval !== 'year')) return {};
  return { 'start-subscription': { minor: amountMinor, interval } };
}
