import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { connect, type Database } from '../../store/connect.js';
import { migrate } from '../../store/migrate.js';
import {
  addWebhookEvent,
  markWebhookEventsHandled,
  takeWebhookEvents,
} from '../../store/webhook-events.js';
import { freshDatabase, type FreshDatabase } from '../helpers/database.js';

let scratch: FreshDatabase;
let db: Database;

beforeAll(async () => {
  scratch = await freshDatabase();
  await migrate(scratch.url, { mode: 'embedded' });
  db = connect(scratch.url);
});
afterAll(async () => {
  await db.destroy();
  await scratch.drop();
});

const event = (event_id: string, type = 'charge.dispute.created') =>
  ({ event_id, provider: 'stripe', type, object_id: 'dp_1' }) as const;
const types = ['charge.dispute.created'];

test('an event is put on record once, however often it comes', async () => {
  expect(await addWebhookEvent(db, event('evt_1'))).toBe(true);
  expect(await addWebhookEvent(db, event('evt_1', 'charge.refunded'))).toBe(false);
  const written = await Promise.all([1, 2, 3, 4].map(() => addWebhookEvent(db, event('evt_2'))));
  expect(written.filter(Boolean)).toHaveLength(1);
});

test('two readers never take the same event, and a handled one is not taken again', async () => {
  await addWebhookEvent(db, event('evt_3'));
  await db.transaction().execute(async (one) => {
    const taken = await takeWebhookEvents(one, { types, limit: 1 });
    const others = await db
      .transaction()
      .execute((other) => takeWebhookEvents(other, { types, limit: 10 }));
    expect(others.map(({ event_id }) => event_id)).not.toContain(taken[0]?.event_id);
    await markWebhookEventsHandled(one, [taken[0]?.event_id ?? '']);
  });
  const left = await takeWebhookEvents(db, { types, limit: 10 });
  expect(left.map(({ event_id }) => event_id)).toEqual(['evt_2', 'evt_3']);
});

test.each([
  ["update webhook_events set type = 'x'"],
  ['update webhook_events set handled_at = null'],
  ['delete from webhook_events'],
])('the record of events refuses: %s', async (statement) => {
  await expect(sql.raw(statement).execute(db)).rejects.toThrow('written once');
});
