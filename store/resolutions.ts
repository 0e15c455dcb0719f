import { sql } from 'kysely';
import type { Executor } from './connect.js';
import { appendLog } from './log.js';
import type { Row } from './schema.js';

/** The resolution of these very bytes, or undefined. */
export async function readResolution(
  db: Executor,
  digest: string,
): Promise<Row<'resolutions'> | undefined> {
  return db.selectFrom('resolutions').selectAll().where('digest', '=', digest).executeTakeFirst();
}

/** Records a signed word over a stuck step, once; the last thing of its transaction. */
export async function insertResolution(
  tx: Executor,
  of: {
    readonly digest: string;
    readonly runId: string;
    readonly step: string;
    readonly action: Row<'resolutions'>['action'];
    readonly person: string;
    readonly keyId: string;
    readonly statement: string;
    readonly signature: string;
    readonly reason: string;
  },
): Promise<void> {
  const written = await tx
    .insertInto('resolutions')
    .values({
      digest: of.digest,
      run_id: of.runId,
      step: of.step,
      action: of.action,
      person_id: of.person,
      key_id: of.keyId,
      statement: of.statement,
      signature: of.signature,
      accepted: true,
      reason: of.reason,
      recorded_at: sql<Date>`countersign_now()`,
    })
    .onConflict((conflict) => conflict.column('digest').doNothing())
    .executeTakeFirst();
  if ((written.numInsertedOrUpdatedRows ?? 0n) === 0n) return;
  await appendLog(tx, {
    kind: 'resolved',
    runId: of.runId,
    payload: { step: of.step, action: of.action, by: of.person, keyId: of.keyId },
  });
}

/** How many signed ways on a run has had. */
export async function countResolutions(db: Executor, runId: string): Promise<number> {
  const { count } = await db
    .selectFrom('resolutions')
    .select(sql<number>`count(*)`.as('count'))
    .where('run_id', '=', runId)
    .executeTakeFirstOrThrow();
  return count;
}

/** How long a run has been going back since its door closed, or since a person last said how it goes on. In ms. */
export async function goingBackForMs(db: Executor, runId: string): Promise<number> {
  const { rows } = await sql<{ ms: number }>`
    select coalesce(extract(epoch from countersign_now() - greatest(r.door_at, (
      select max(o.recorded_at) from resolutions o where o.run_id = r.run_id and o.accepted
    ))) * 1000, 0)::bigint as ms
      from runs r where r.run_id = ${runId}`.execute(db);
  return rows[0]?.ms ?? 0;
}
