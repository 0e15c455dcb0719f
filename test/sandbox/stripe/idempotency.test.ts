import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type Stripe from 'stripe';
import type { Stand } from '../stand.js';
import { freshWorld, headerOf, startStand, stripeClient } from '../stand.js';

let stand: Stand;
let world: string;
let stripe: Stripe;
beforeAll(async () => {
  stand = await startStand();
});
afterAll(() => stand.close());
beforeEach(() => {
  world = freshWorld();
  stripe = stripeClient(stand.apiUrl, stand.credentials(world).stripe.actions);
});

const HOUR_MS = 3_600_000;
const customers = async (): Promise<number> => (await stripe.customers.list()).data.length;
const create = (name: string, key: string): Promise<Stripe.Response<Stripe.Customer>> =>
  stripe.customers.create({ name }, { idempotencyKey: key });

test('the idempotency store replays a stored success, marked as replayed', async () => {
  const first = await create('A', 'k');
  const second = await create('A', 'k');
  expect(second).toEqual(first);
  expect(headerOf(first, 'idempotent-replayed')).toBeNull();
  expect(headerOf(second, 'idempotent-replayed')).toBe('true');
  expect(headerOf(second, 'original-request')).toBe(first.lastResponse.requestId);
  expect(second.lastResponse.requestId).not.toBe(first.lastResponse.requestId);
  expect(second.lastResponse.idempotencyKey).toBe('k');
  expect(await customers()).toBe(1);
});

test('a replay answers what was answered then, not what is there now', async () => {
  const first = await create('A', 'k');
  await stripe.customers.update(first.id, { name: 'B' });
  expect((await create('A', 'k')).name).toBe('A');
});

test('the idempotency store refuses other parameters under a used key', async () => {
  await create('A', 'k');
  await expect(create('B', 'k')).rejects.toMatchObject({
    type: 'StripeIdempotencyError',
    rawType: 'idempotency_error',
    statusCode: 400,
  });
  expect(await customers()).toBe(1);
});

test('the idempotency store refuses another endpoint, parameters being the same', async () => {
  await create('A', 'k');
  await expect(
    stripe.products.create({ name: 'A' }, { idempotencyKey: 'k' }),
  ).rejects.toMatchObject({ type: 'StripeIdempotencyError', statusCode: 400 });
});

test('the idempotency store compares parameters whatever their order', async () => {
  const first = await stripe.customers.create(
    { name: 'A', metadata: { x: '1', y: '2' } },
    { idempotencyKey: 'k' },
  );
  const second = await stripe.customers.create(
    { metadata: { y: '2', x: '1' }, name: 'A' },
    { idempotencyKey: 'k' },
  );
  expect(second.id).toBe(first.id);
});

test('the idempotency store answers 409 while the first request still runs', async () => {
  await stand.control.faults(world, [
    { provider: 'stripe', method: 'POST', path: '/v1/customers', fault: 'slow', ms: 300 },
  ]);
  const slow = create('A', 'k');
  await arrived(1);
  await expect(create('A', 'k')).rejects.toMatchObject({
    type: 'StripeAPIError',
    rawType: 'idempotency_error',
    code: 'idempotency_key_in_use',
    statusCode: 409,
  });
  expect((await slow).name).toBe('A');
  expect(await customers()).toBe(1);
});

test('a conflict is not stored: the key answers the first result afterwards', async () => {
  await stand.control.faults(world, [
    { provider: 'stripe', method: 'POST', path: '/v1/customers', fault: 'slow', ms: 200 },
  ]);
  const slow = create('A', 'k');
  await arrived(1);
  await expect(create('A', 'k')).rejects.toMatchObject({ statusCode: 409 });
  const first = await slow;
  expect((await create('A', 'k')).id).toBe(first.id);
});

test('the idempotency store does not keep refused parameters: the key stays free', async () => {
  await expect(
    stripe.customers.create({ email: 'nonsense' }, { idempotencyKey: 'k' }),
  ).rejects.toMatchObject({ statusCode: 400, code: 'email_invalid' });
  expect((await create('A', 'k')).name).toBe('A');
});

test('the idempotency store does not keep a 404', async () => {
  await expect(
    stripe.customers.update('cus_none', { name: 'A' }, { idempotencyKey: 'k' }),
  ).rejects.toMatchObject({ statusCode: 404, code: 'resource_missing' });
  expect((await create('A', 'k')).name).toBe('A');
});

test('the idempotency store replays a stored 402, even after the card was mended', async () => {
  const { id } = await create('A', 'c');
  await stand.control.people(world, { do: 'add-payment-method', customer: id, card: 'declined' });
  const subscribe = (key: string): Promise<Stripe.Subscription> =>
    stripe.subscriptions.create(
      {
        customer: id,
        items: [{ price: 'price_starter_monthly' }],
        payment_behavior: 'error_if_incomplete',
      },
      { idempotencyKey: key },
    );
  const declined = { type: 'StripeCardError', statusCode: 402, code: 'card_declined' };
  await expect(subscribe('s/1')).rejects.toMatchObject(declined);
  await stand.control.people(world, { do: 'mend-card', customer: id });
  const error = await subscribe('s/1').catch((thrown: unknown) => thrown);
  expect(error).toMatchObject(declined);
  expect((error as Stripe.errors.StripeError).headers?.['idempotent-replayed']).toBe('true');
  expect((await subscribe('s/2')).status).toBe('active');
  expect((await stand.control.truth(world)).counts['charges']).toBe(1);
});

test('the idempotency store replays a stored 500 for as long as it keeps the key', async () => {
  await stand.control.faults(world, [
    { provider: 'stripe', method: 'POST', path: '/v1/customers', fault: 'stored-500' },
  ]);
  const failed = { type: 'StripeAPIError', statusCode: 500 };
  await expect(create('A', 'k')).rejects.toMatchObject(failed);
  await expect(create('A', 'k')).rejects.toMatchObject(failed);
  expect(await customers()).toBe(0);
  expect((await create('A', 'k2')).name).toBe('A');
});

test('the idempotency store forgets a key after 24 hours: the same call acts again', async () => {
  const first = await create('A', 'k');
  await stand.control.clock(world, 24 * HOUR_MS - 60_000);
  expect((await create('A', 'k')).id).toBe(first.id);
  await stand.control.clock(world, 2 * 60_000);
  expect((await create('A', 'k')).id).not.toBe(first.id);
  expect(await customers()).toBe(2);
});

test('a key belongs to one world: another world may use the same one', async () => {
  const first = await create('A', 'k');
  const other = stripeClient(stand.apiUrl, stand.credentials(freshWorld()).stripe.actions);
  const second = await other.customers.create({ name: 'A' }, { idempotencyKey: 'k' });
  expect(second.id).not.toBe(first.id);
});

test('all keys of one world share one store, whatever their role', async () => {
  const first = await create('A', 'k');
  const other = stripeClient(stand.apiUrl, stand.credentials(world).stripe.compensations);
  const again = await other.customers.create({ name: 'A' }, { idempotencyKey: 'k' });
  expect(again.id).toBe(first.id);
});

test('a key longer than 255 characters is refused', async () => {
  await expect(create('A', 'k'.repeat(256))).rejects.toMatchObject({ statusCode: 400 });
  expect((await create('A', 'k'.repeat(255))).name).toBe('A');
});

test('a DELETE is not replayed, even with a key: the second one finds nothing', async () => {
  const { id } = await create('A', 'k');
  const del = (): Promise<Response> =>
    fetch(`${stand.apiUrl}/v1/customers/${id}`, {
      method: 'DELETE',
      headers: {
        authorization: `Bearer ${stand.credentials(world).stripe.actions}`,
        'idempotency-key': 'd',
        connection: 'close',
      },
    });
  expect((await del()).status).toBe(200);
  expect((await del()).status).toBe(404);
});

/** Waits until the stand-in has received `count` requests in this world. */
async function arrived(count: number): Promise<void> {
  for (;;) {
    if ((await stand.control.truth(world)).requests.length >= count) return;
  }
}
