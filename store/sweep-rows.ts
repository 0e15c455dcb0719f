import { sql } from 'kysely';
import type { EffectId } from '../domain/ids.js';
import type { Executor } from './connect.js';

/** Effects read back in one sweep; the rest have their turn in the next. */
const DUE_MAX = 200;
/** A run younger than this may not have reached Temporal yet. In seconds. */
const YOUNG_SECONDS = 60;

/**
 * Effects whose last `send_by` lies 1 h or 25 h back and that have not been read since that moment. Those whose last
 * turn lies longest ago come first, so that what cannot be read holds up nobody.
 */
export async function effectsDue(
  db: Executor,
  limit = DUE_MAX,
): Promise<readonly { runId: string; step: string; effectId: EffectId }[]> {
  const { rows } = await sql<{ run_id: string; step: string; effect_id: EffectId }>`
    select e.run_id, e.step, e.effect_id from effects e
     where e.kind = 'act' and e.attempt > 0
       -- a customer is found by the address alone: once that is erased, nobody can look any more
       and not (e.step = 'create-customer' and exists (
         select 1 from runs r join principals p on p.principal_id = r.principal
          where r.run_id = e.run_id and p.erased_at is not null))
       and exists (
       select 1 from unnest(array[interval '1 hour', interval '25 hours']) as due(after)
        where e.send_by + due.after <= countersign_now() and not exists (
          select 1 from effect_reads r
           where r.effect_id = e.effect_id and r.ended_at is not null
             and r.begun_at >= e.send_by + due.after))
     order by (select max(r.begun_at) from effect_reads r
       where r.effect_id = e.effect_id and r.begun_at > e.send_by) nulls first,
       e.send_by, e.effect_id limit ${limit}`.execute(db);
  return rows.map(({ run_id, step, effect_id }) => ({
    runId: run_id,
    step,
    effectId: effect_id,
  }));
}

export interface OpenRun {
  readonly runId: string;
  readonly repairing: boolean;
  readonly ordered: boolean;
}

/**
 * Runs that have not ended, and are old enough for Temporal to know them. `repairing`: a sweep found them ended before;
 * `ordered`: a person has signed that the clean-up is to be tried.
 */
export async function openRuns(db: Executor): Promise<readonly OpenRun[]> {
  const { rows } = await sql<{ run_id: string; repairing: boolean; ordered: boolean }>`
    select r.run_id, exists (select 1 from temporal_ends t where t.run_id = r.run_id) as repairing,
           exists (select 1 from resolutions o where o.run_id = r.run_id and o.accepted
             and o.action = 'retry') as ordered
      from runs r
     where r.end_phase is null
       and r.admitted_at < countersign_now() - ${YOUNG_SECONDS} * interval '1 second'
     order by r.admitted_at`.execute(db);
  return rows.map(({ run_id, ...standing }) => ({ runId: run_id, ...standing }));
}

/** Writes down which Temporal this database belongs to, the first time; answers what is on record. */
export async function rememberTemporal(
  db: Executor,
  seen: { readonly namespace: string; readonly cluster: string },
): Promise<{ readonly namespace: string; readonly cluster: string }> {
  await db
    .updateTable('instance')
    .set({ temporal_namespace: seen.namespace, temporal_cluster: seen.cluster })
    .where('temporal_namespace', 'is', null)
    .execute();
  const row = await db
    .selectFrom('instance')
    .select(['temporal_namespace', 'temporal_cluster'])
    .executeTakeFirstOrThrow();
  return { namespace: row.temporal_namespace ?? '', cluster: row.temporal_cluster ?? '' };
}

/** Notes that a sweep was finished: by the real clock, for the period is the worker's own timer's. */
export async function noteSweep(db: Executor): Promise<void> {
  await db
    .updateTable('instance')
    .set({ swept_at: sql<Date>`clock_timestamp()` })
    .execute();
}

/** For how long no sweep was finished, in ms; of an instance that never was swept, since it was made. */
export async function sweptAgoMs(db: Executor): Promise<number> {
  const { rows } = await sql<{ ago: number }>`
    select to_ms(clock_timestamp() - coalesce(swept_at, created_at)) as ago from instance`.execute(
    db,
  );
  return rows[0]?.ago ?? 0;
}
