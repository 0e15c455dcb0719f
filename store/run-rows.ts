import { sql } from 'kysely';
import type { Executor } from './connect.js';
import type { Row } from './schema.js';

/** What a run's report is made of, beside its row, its plan and its effects. Amounts in minor units. */
export interface RunRows {
  readonly gates: readonly Row<'gates'>[];
  readonly now: Date;
  readonly failures: readonly Row<'run_failures'>[];
  readonly cases: readonly Row<'cases'>[];
  readonly reservedMinor: number;
  readonly closings: readonly Pick<
    Row<'effects'>,
    'step' | 'outcome' | 'residue_minor' | 'residue_text'
  >[];
}

export async function readRunRows(db: Executor, runId: string): Promise<RunRows> {
  const gates = await db
    .selectFrom('gates')
    .selectAll()
    .where('run_id', '=', runId)
    .orderBy('opened_at')
    .execute();
  const failures = await db
    .selectFrom('run_failures')
    .selectAll()
    .where('run_id', '=', runId)
    .orderBy('id')
    .execute();
  const cases = await db
    .selectFrom('cases')
    .selectAll()
    .where('run_id', '=', runId)
    .orderBy('case_id')
    .execute();
  const closings = await db
    .selectFrom('effects')
    .select(['step', 'outcome', 'residue_minor', 'residue_text'])
    .where('run_id', '=', runId)
    .where('kind', '=', 'act')
    .execute();
  const totals = await db
    .selectFrom('reservations')
    .select([
      sql<number>`coalesce(sum(amount_minor) filter (where state = 'reserved'), 0)::bigint`.as(
        'reserved',
      ),
      sql<Date>`countersign_now()`.as('now'),
    ])
    .where('run_id', '=', runId)
    .executeTakeFirstOrThrow();
  return { gates, now: totals.now, failures, cases, closings, reservedMinor: totals.reserved };
}

/** Records that a step failed for good, or has no row to say so: the cause of an unwinding. */
export async function insertFailure(
  db: Executor,
  failure: {
    readonly runId: string;
    readonly step: string;
    readonly code: string;
    readonly message: string;
  },
): Promise<void> {
  await db
    .insertInto('run_failures')
    .values({
      run_id: failure.runId,
      step: failure.step,
      code: failure.code,
      message: failure.message.slice(0, 1_000),
      recorded_at: sql<Date>`countersign_now()`,
    })
    .execute();
}

/** How the sweep read that Temporal had ended a run. */
export async function insertTemporalEnd(
  db: Executor,
  runId: string,
  status: 'TERMINATED' | 'FAILED' | 'TIMED_OUT' | 'LOST',
): Promise<void> {
  await db
    .insertInto('temporal_ends')
    .values({ run_id: runId, status, read_at: sql<Date>`countersign_now()` })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/**
 * Opens a case unless one of this kind stands open already for the same effect or run; `about`: for the same object,
 * which the text names.
 */
export async function openCaseOnce(
  db: Executor,
  of: {
    readonly runId?: string;
    readonly effectId?: string;
    readonly kind: string;
    readonly text: string;
    readonly about?: string;
  },
): Promise<void> {
  await sql`select open_case(${of.runId ?? null}::text, ${of.effectId ?? null}::text, ${of.kind}, ${of.text})
    where not exists (select 1 from cases c where c.kind = ${of.kind} and c.closed_at is null
      and (${of.about ?? null}::text is null or position(${of.about ?? ''} in c.text) > 0)
      and c.run_id is not distinct from ${of.runId ?? null}::text
      and c.effect_id is not distinct from ${of.effectId ?? null}::text)`.execute(db);
}
