import { sql } from 'kysely';
import { z } from 'zod';
import type { RunId } from '../domain/ids.js';
import type { EffectStep } from '../domain/steps.js';
import { adopts, stepsAdopted } from './adoptions.js';
import type { Building, RecordMade } from './adoptions.js';
import type { Executor } from './connect.js';
import { readPlanHolding } from './plans.js';

interface Row {
  readonly effect_id: string;
  readonly run_id: RunId;
  readonly step: EffectStep;
  readonly object: string | null;
  readonly digest: string | null;
  readonly closing: boolean;
  readonly closed_since: boolean;
}

/** What a plan counts upon and another run is taking back, or has since the plan was quoted. */
export interface TakenUnder {
  readonly runId: string;
  readonly step: EffectStep;
}

export interface Planning extends Building {
  readonly principal: string;
  /** What the run's plan before this one took for granted: its adopters are on record, and are respected. */
  readonly standing: Building | undefined;
}

/**
 * Of what a plan takes for granted, something that is being taken back. Called in the transaction that writes the plan,
 * behind the write. Each row looked at is locked until that commits: so a run that is about to mark its row `closing`
 * waits and then sees the adopter, and one that has marked it is seen here. Either way one of the two gives way.
 */
export async function takenUnder(
  tx: Executor,
  planning: Planning,
): Promise<TakenUnder | undefined> {
  const steps = stepsAdopted(planning);
  if (steps.length === 0) return undefined;
  const ids: string[] = [];
  for (const row of await candidates(tx, planning, steps))
    if (await countsUpon(tx, planning, row)) ids.push(row.effect_id);
  for (const row of await locked(tx, planning, ids)) {
    if (!row.closing && !row.closed_since) continue;
    if (await countsUpon(tx, planning, row)) return { runId: row.run_id, step: row.step };
  }
  return undefined;
}

/** What has no object yet may turn out to be the very thing that was seen at the provider. */
async function countsUpon(tx: Executor, planning: Planning, row: Row): Promise<boolean> {
  const { object, step } = row;
  if (object === null) return true;
  const made = { step, object, ...(await recordsOf(tx, row)) };
  if (!adopts(planning, made)) return false;
  return planning.standing === undefined || !adopts(planning.standing, made);
}

const recordsSchema = z.array(
  z.object({ type: z.string(), name: z.string(), content: z.string() }),
);

/** The DNS records that a row's action made; nothing for any other step. */
async function recordsOf(
  tx: Executor,
  { run_id: runId, step, digest }: Row,
): Promise<{ readonly records?: readonly RecordMade[] }> {
  if (step !== 'configure-dns' || digest === null) return {};
  const plan = await readPlanHolding(tx, { runId, step, digest });
  const planned = plan?.steps.find(({ actionDigest }) => actionDigest === digest);
  return { records: recordsSchema.parse(planned?.action?.params['records'] ?? []) };
}

async function candidates(
  tx: Executor,
  { plan, principal, domain, quote }: Planning,
  steps: readonly EffectStep[],
): Promise<readonly Row[]> {
  const { rows } = await sql<Row>`
    select e.effect_id, e.run_id, e.step, e.object, e.digest, e.state = 'closing' as closing,
           e.state = 'closed' and e.closed_at >= ${quote.quotedAt}::timestamptz as closed_since
      from effects e join runs r on r.run_id = e.run_id
     where e.run_id <> ${plan.runId} and e.kind = 'act' and e.step = any(${steps})
       and (r.principal = ${principal} or r.domain = ${domain})
       and not e.tombstone and not e.refused and r.tears_down is null
       and (e.object is not null or e.state in ('claimed', 'unknown', 'closing'))
     order by e.effect_id`.execute(tx);
  return rows;
}

async function locked(
  tx: Executor,
  { quote }: Planning,
  ids: readonly string[],
): Promise<readonly Row[]> {
  if (ids.length === 0) return [];
  const { rows } = await sql<Row>`
    select * from effects_held(${ids}, ${quote.quotedAt}::timestamptz)`.execute(tx);
  return rows;
}
