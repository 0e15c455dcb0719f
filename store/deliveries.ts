import { sql } from 'kysely';
import type { Executor } from './connect.js';

/** Notices on their way to the places that the policy names. All times by the database's clock. */

export interface QueuedNotice {
  readonly noticeId: number;
  readonly kind: string;
  readonly runId: string | null;
}

/** Takes notices that nobody has fanned out yet out of the queue, oldest first; held until the transaction ends. */
export async function takeQueued(tx: Executor, limit: number): Promise<QueuedNotice[]> {
  const rows = await tx
    .selectFrom('notice_queue')
    .innerJoin('notices', 'notices.notice_id', 'notice_queue.notice_id')
    .select(['notices.notice_id', 'notices.kind', 'notices.run_id'])
    .orderBy('notice_queue.notice_id')
    .limit(limit)
    .forUpdate('notice_queue')
    .skipLocked()
    .execute();
  if (rows.length > 0)
    await tx
      .deleteFrom('notice_queue')
      .where(
        'notice_id',
        'in',
        rows.map(({ notice_id }) => notice_id),
      )
      .execute();
  return rows.map(({ notice_id, kind, run_id }) => ({ noticeId: notice_id, kind, runId: run_id }));
}

/** Writes one delivery for each target of a notice; one that is there already stays as it is. */
export async function insertDeliveries(
  tx: Executor,
  notice: QueuedNotice,
  targets: readonly string[],
): Promise<void> {
  if (targets.length === 0) return;
  await tx
    .insertInto('deliveries')
    .values(
      targets.map((target) => ({
        notice_id: notice.noticeId,
        run_id: notice.runId,
        target,
        next_at: sql<Date>`countersign_now()`,
        sent_at: null,
        answer: null,
      })),
    )
    .onConflict((conflict) => conflict.columns(['notice_id', 'target']).doNothing())
    .execute();
}

export interface Claimed {
  readonly deliveryId: number;
  readonly target: string;
  readonly attempts: number;
  readonly noticeId: number;
  readonly dedupe: string;
  readonly kind: string;
  readonly runId: string | null;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly madeAt: Date;
  /** The database's clock at the claim. */
  readonly now: Date;
}

/** An earlier notice of the same run to the same place goes first, for this many attempts. */
const IN_ORDER_ATTEMPTS = 3;

/**
 * Claims the next delivery that is due, for `leaseMs`: whoever dies with it leaves it to the next one afterwards. The
 * attempt counts from here. Undefined when nothing is due.
 */
export async function claimDelivery(db: Executor, leaseMs: number): Promise<Claimed | undefined> {
  const { rows } = await sql<Claimed>`
    update deliveries d
       set attempts = d.attempts + 1, next_at = countersign_now() + ${leaseMs} * interval '1 ms'
      from notices n
     where n.notice_id = d.notice_id and d.delivery_id = (
       select c.delivery_id from deliveries c
        where c.status = 'due' and c.next_at <= countersign_now()
          and not exists (
            select 1 from deliveries e
             where e.status = 'due' and e.target = c.target and e.run_id = c.run_id
               and e.notice_id < c.notice_id and e.attempts <= ${IN_ORDER_ATTEMPTS})
        order by c.notice_id, c.delivery_id limit 1 for update skip locked)
    returning d.delivery_id as "deliveryId", d.target, d.attempts, d.notice_id as "noticeId",
      n.dedupe, n.kind, n.run_id as "runId", n.payload, n.made_at as "madeAt",
      countersign_now() as now`.execute(db);
  return rows[0];
}

/** How an attempt ended. Only a delivery that is still due, and of this very attempt, is touched. */
export async function settleDelivery(
  db: Executor,
  claimed: Pick<Claimed, 'deliveryId' | 'attempts'>,
  of: {
    readonly status: 'due' | 'sent' | 'failed' | 'dropped';
    readonly answer: string;
    readonly waitMs?: number;
  },
): Promise<boolean> {
  const settled = await db
    .updateTable('deliveries')
    .set({
      status: of.status,
      answer: of.answer,
      ...(of.status === 'sent' ? { sent_at: sql<Date>`countersign_now()` } : {}),
      ...(of.waitMs === undefined
        ? {}
        : { next_at: sql<Date>`countersign_now() + ${of.waitMs} * interval '1 ms'` }),
    })
    .where('delivery_id', '=', claimed.deliveryId)
    .where('attempts', '=', claimed.attempts)
    .where('status', '=', 'due')
    .executeTakeFirst();
  return settled.numUpdatedRows > 0n;
}

export interface NoticesStanding {
  /** Notices that nobody has fanned out, and deliveries that are due. */
  readonly waiting: number;
  /** How long the oldest of them has been waiting, in ms; 0 when none waits. */
  readonly oldestMs: number;
  /** Deliveries that were given up and whose case nobody has closed. */
  readonly failed: number;
}

/** How the outbox stands: for readiness and status. */
export async function noticesStanding(db: Executor): Promise<NoticesStanding> {
  const { rows } = await sql<NoticesStanding>`
    with waiting as (
      select n.made_at from notice_queue q join notices n on n.notice_id = q.notice_id
      union all
      select n.made_at from deliveries d join notices n on n.notice_id = d.notice_id
       where d.status = 'due')
    select count(*) as waiting,
      coalesce(to_ms(countersign_now() - min(made_at)), 0) as "oldestMs",
      (select count(*) from cases c where c.kind = 'notice-failed' and c.closed_at is null) as failed
      from waiting`.execute(db);
  return rows[0] ?? { waiting: 0, oldestMs: 0, failed: 0 };
}
