import { sql } from 'kysely';
import type { Executor } from './connect.js';

/** How long ago a run's last effect settled, in ms; 0 when none has. */
export async function settledForMs(db: Executor, runId: string): Promise<number> {
  const row = await db
    .selectFrom('effects')
    .select(
      sql<number>`coalesce((extract(epoch from countersign_now() - max(settled_at)) * 1000), 0)::bigint`.as(
        'ms',
      ),
    )
    .where('run_id', '=', runId)
    .where('kind', '=', 'act')
    .executeTakeFirstOrThrow();
  return row.ms;
}

/** Was the run verified after its last effect had settled? */
export async function isVerified(db: Executor, runId: string): Promise<boolean> {
  const { rows } = await sql<{ verified: boolean }>`
    select exists (select 1 from log l where l.run_id = ${runId} and l.kind = 'verified'
      and l.at >= coalesce((select max(e.settled_at) from effects e
        where e.run_id = ${runId} and e.kind = 'act'), l.at) - interval '1 millisecond') as verified`.execute(
    db,
  );
  return rows[0]?.verified ?? false;
}
