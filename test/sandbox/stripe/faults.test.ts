import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type Stripe from 'stripe';
import type { FaultRuleInput } from '../../../sandbox/control-client.js';
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

const arm = (
  fault: FaultRuleInput['fault'],
  more: Partial<FaultRuleInput> = {},
): Promise<unknown> =>
  stand.control.faults(world, [
    { provider: 'stripe', method: 'POST', path: '/v1/customers', fault, ...more },
  ]);
const create = (key = 'k'): Promise<Stripe.Response<Stripe.Customer>> =>
  stripe.customers.create({ name: 'A' }, { idempotencyKey: key });
const customers = async (): Promise<number> =>
  (await stand.control.truth(world)).counts['stripe.customers'] ?? -1;
const lastRequest = async () => (await stand.control.truth(world)).requests.at(-1);

test('refuse: a final 400 without acting, not stored under the key', async () => {
  await arm('refuse');
  await expect(create()).rejects.toMatchObject({
    statusCode: 400,
    type: 'StripeInvalidRequestError',
  });
  expect(await customers()).toBe(0);
  expect((await create()).object).toBe('customer');
});

test('act-then-drop: the answer is lost, the object is there, the same key brings it', async () => {
  await arm('act-then-drop');
  await expect(create()).rejects.toMatchObject({ type: 'StripeConnectionError' });
  expect(await customers()).toBe(1);
  expect(await lastRequest()).toMatchObject({ status: null, fault: 'act-then-drop' });
  expect(headerOf(await create(), 'idempotent-replayed')).toBe('true');
  expect(await customers()).toBe(1);
});

test('act-then-500: acts, answers 500, and the same key brings the success', async () => {
  await arm('act-then-500');
  await expect(create()).rejects.toMatchObject({ statusCode: 500, type: 'StripeAPIError' });
  expect(await customers()).toBe(1);
  expect((await create()).name).toBe('A');
  expect(await customers()).toBe(1);
});

test('act-then-500, stored: acts, and the key answers the 500 for ever', async () => {
  await arm('act-then-500', { stored: true });
  await expect(create()).rejects.toMatchObject({ statusCode: 500 });
  await expect(create()).rejects.toMatchObject({ statusCode: 500 });
  expect(await customers()).toBe(1);
});

test('stored-500: does not act, and the key answers the 500 for ever', async () => {
  await arm('stored-500');
  await expect(create()).rejects.toMatchObject({ statusCode: 500 });
  await expect(create()).rejects.toMatchObject({ statusCode: 500 });
  expect(await customers()).toBe(0);
});

test('hang: holds the socket until the client leaves, does not act, frees the key', async () => {
  await arm('hang');
  const impatient = stripeClient(stand.apiUrl, stand.credentials(world).stripe.actions, 150);
  await expect(
    impatient.customers.create({ name: 'A' }, { idempotencyKey: 'k' }),
  ).rejects.toMatchObject({ type: 'StripeConnectionError' });
  expect(await customers()).toBe(0);
  expect(await lastRequest()).toMatchObject({ status: null, fault: 'hang' });
  expect((await created()).name).toBe('A');
});

test('hang with act: acts first, and nobody hears of it', async () => {
  await arm('hang', { act: true });
  const impatient = stripeClient(stand.apiUrl, stand.credentials(world).stripe.actions, 150);
  await expect(
    impatient.customers.create({ name: 'A' }, { idempotencyKey: 'k' }),
  ).rejects.toMatchObject({ type: 'StripeConnectionError' });
  expect(await customers()).toBe(1);
});

test('409: in use, without acting', async () => {
  await arm('409');
  await expect(create()).rejects.toMatchObject({
    statusCode: 409,
    type: 'StripeAPIError',
    code: 'idempotency_key_in_use',
  });
  expect(await customers()).toBe(0);
});

test('429: the rate limit, with retry-after and, if told, stripe-should-retry', async () => {
  await arm('429', { shouldRetry: false });
  const error = (await create().catch((thrown: unknown) => thrown)) as Stripe.errors.StripeError;
  expect(error).toMatchObject({
    statusCode: 429,
    type: 'StripeRateLimitError',
    code: 'rate_limit',
  });
  expect(error.headers?.['retry-after']).toBe('1');
  expect(error.headers?.['stripe-should-retry']).toBe('false');
  expect(await customers()).toBe(0);
});

test('slow: a real delay, then it acts', async () => {
  await arm('slow', { ms: 120 });
  const begun = performance.now();
  await create();
  expect(performance.now() - begun).toBeGreaterThanOrEqual(115);
  expect(await customers()).toBe(1);
});

test('decline: 402, stored under its key', async () => {
  await arm('decline');
  const declined = { statusCode: 402, type: 'StripeCardError', code: 'card_declined' };
  await expect(create()).rejects.toMatchObject(declined);
  await expect(create()).rejects.toMatchObject(declined);
  expect((await create('k2')).name).toBe('A');
});

test('decline on a subscription declines whatever the card, and makes nothing', async () => {
  await stand.control.people(world, { do: 'standing-payment-method', card: 'visa' });
  const { id } = await create();
  await arm('decline', { path: '/v1/subscriptions' });
  await expect(
    stripe.subscriptions.create({
      customer: id,
      items: [{ price: 'price_growth_monthly' }],
      payment_behavior: 'error_if_incomplete',
    }),
  ).rejects.toMatchObject({ statusCode: 402 });
  expect((await stand.control.truth(world)).counts).toMatchObject({
    'stripe.subscriptions': 0,
    charges: 0,
  });
});

test('price-drift: the price named in the request is another from then on', async () => {
  await arm('price-drift', { method: 'GET', path: '/v1/prices/*', byMinor: 1, nth: 2 });
  const seen: (number | null)[] = [];
  for (let read = 0; read < 3; read += 1) {
    seen.push((await stripe.prices.retrieve('price_starter_monthly')).unit_amount);
  }
  expect(seen).toEqual([1900, 1901, 1901]);
  expect((await stripe.prices.retrieve('price_growth_monthly')).unit_amount).toBe(4900);
});

test('lag: what was made is not seen by gets and lists until its time, and then is', async () => {
  await arm('lag', { ms: 60_000 });
  const { id } = await create();
  expect((await stripe.customers.list()).data).toEqual([]);
  await expect(stripe.customers.retrieve(id)).rejects.toMatchObject({ statusCode: 404 });
  expect(await customers()).toBe(1);
  await stand.control.clock(world, 60_000);
  expect((await stripe.customers.list()).data.map((one) => one.id)).toEqual([id]);
});

test('a fault strikes one request of many, and each call of the SDK is one attempt', async () => {
  await arm('act-then-500', { nth: 2 });
  await create('1');
  await expect(create('2')).rejects.toMatchObject({ statusCode: 500 });
  await create('3');
  const { requests } = await stand.control.truth(world);
  expect(requests.map(({ status, fault }) => [status, fault])).toEqual([
    [200, undefined],
    [500, 'act-then-500'],
    [200, undefined],
  ]);
});

/** Creates under the key `k` as soon as nobody holds it any more. */
async function created(): Promise<Stripe.Customer> {
  for (;;) {
    try {
      return await create();
    } catch (error) {
      if ((error as { statusCode?: number }).statusCode !== 409) throw error;
    }
  }
}
