import { sql } from 'kysely';
import type { Executor } from './connect.js';
import type { Row } from './schema.js';

export type WebhookEvent = Pick<
  Row<'webhook_events'>,
  'event_id' | 'provider' | 'type' | 'object_id'
>;

/** Puts an event on record; false when it was there already. */
export async function addWebhookEvent(db: Executor, event: WebhookEvent): Promise<boolean> {
  const written = await db
    .insertInto('webhook_events')
    .values(event)
    .onConflict((conflict) => conflict.column('event_id').doNothing())
    .executeTakeFirst();
  return (written.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/** Events that nobody has handled, oldest first, each kept from other readers until the transaction ends. */
export async function takeWebhookEvents(
  tx: Executor,
  of: { readonly types: readonly string[]; readonly limit: number },
): Promise<WebhookEvent[]> {
  return tx
    .selectFrom('webhook_events')
    .select(['event_id', 'provider', 'type', 'object_id'])
    .where('handled_at', 'is', null)
    .where('type', 'in', [...of.types])
    .orderBy('received_at')
    .limit(of.limit)
    .forUpdate()
    .skipLocked()
    .execute();
}

/** Notes that what these events told of was read at the provider. */
export async function markWebhookEventsHandled(
  tx: Executor,
  eventIds: readonly string[],
): Promise<void> {
  if (eventIds.length === 0) return;
  await tx
    .updateTable('webhook_events')
    .set({ handled_at: sql<Date>`countersign_now()` })
    .where('event_id', 'in', [...eventIds])
    .where('handled_at', 'is', null)
    .execute();
}
