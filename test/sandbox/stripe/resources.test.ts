import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type Stripe from 'stripe';
import type { Stand } from '../stand.js';
import { freshWorld, startStand, stripeClient } from '../stand.js';

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

const raw = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${stand.apiUrl}${path}`, {
    ...init,
    headers: {
      authorization: `Bearer ${stand.credentials(world).stripe.actions}`,
      connection: 'close',
      ...(init.headers as Record<string, string> | undefined),
    },
  });

test('the transport reads nested form keys, echoes Stripe-Version, adds a Request-Id', async () => {
  const answer = await raw('/v1/customers', {
    method: 'POST',
    body: 'email=o%40example.com&metadata[a]=1&metadata[b]=x%26y',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'stripe-version': '2026-09-30.preview',
    },
  });
  expect(answer.headers.get('stripe-version')).toBe('2026-09-30.preview');
  expect(answer.headers.get('request-id')).toMatch(/^req_\w{24}$/);
  expect(await answer.json()).toMatchObject({ metadata: { a: '1', b: 'x&y' } });
});

test('a JSON body is refused: the API speaks forms', async () => {
  const answer = await raw('/v1/customers', {
    method: 'POST',
    body: '{}',
    headers: { 'content-type': 'application/json' },
  });
  expect(answer.status).toBe(400);
});

test('errors come in the envelope of the API with one of its four types', async () => {
  const answer = await raw('/v1/customers/cus_none');
  expect(answer.status).toBe(404);
  expect(await answer.json()).toEqual({
    error: {
      type: 'invalid_request_error',
      code: 'resource_missing',
      doc_url: expect.stringContaining('resource_missing'),
      message: "No such customer: 'cus_none'",
      param: 'id',
      request_log_url: expect.stringContaining(answer.headers.get('request-id') ?? '?'),
    },
  });
});

test.each([
  [{ nonsense: '1' }, 'parameter_unknown', 'nonsense'],
  [{ invoice_settings: { nonsense: '1' } }, 'parameter_unknown', 'invoice_settings[nonsense]'],
  [{ invoice_settings: { default_payment_method: 'pm_none' } }, 'resource_missing', undefined],
] as const)('the parameters %j are refused with %s', async (params, code, param) => {
  const given = params as unknown as Stripe.CustomerCreateParams;
  await expect(stripe.customers.create(given)).rejects.toMatchObject({
    statusCode: 400,
    code,
    ...(param === undefined ? {} : { param }),
  });
  expect((await stand.control.truth(world)).living).toEqual([]);
});

test('a parameter that only the real API has answers 501, by name', async () => {
  await expect(stripe.customers.create({ tax_exempt: 'exempt' })).rejects.toMatchObject({
    statusCode: 501,
    message: expect.stringContaining('tax_exempt'),
  });
});

test('a list comes newest first in its envelope, by pages, by e-mail and by time', async () => {
  const made: string[] = [];
  for (const email of ['a@example.com', 'b@example.com', 'a@example.com', 'c@example.com']) {
    made.unshift((await stripe.customers.create({ email })).id);
  }
  const page = await stripe.customers.list({ limit: 3 });
  expect(page).toMatchObject({ object: 'list', has_more: true, url: '/v1/customers' });
  expect(page.data.map(({ id }) => id)).toEqual(made.slice(0, 3));
  const last = await stripe.customers.list({ limit: 3, starting_after: made[2]! });
  expect(last.data.map(({ id }) => id)).toEqual(made.slice(3));
  expect(last.has_more).toBe(false);
  const all: string[] = [];
  for await (const { id } of stripe.customers.list({ limit: 1 })) all.push(id);
  expect(all).toEqual(made);
  const mine = await stripe.customers.list({ email: 'a@example.com' });
  expect(mine.data.map(({ id }) => id)).toEqual([made[1], made[3]]);
  const later = { created: { gt: page.data[0]!.created + 60 } };
  expect((await stripe.customers.list(later)).data).toEqual([]);
  const before = await stripe.customers.list({ ending_before: made[3]!, limit: 2 });
  expect(before.data.map(({ id }) => id)).toEqual([made[1], made[2]]);
});

test('metadata is echoed, merged by key, and unset by an empty value', async () => {
  const { id } = await stripe.customers.create({ metadata: { keep: '1', drop: '2' } });
  const merged = await stripe.customers.update(id, { metadata: { drop: '', more: '3' } });
  expect(merged.metadata).toEqual({ keep: '1', more: '3' });
  expect((await stripe.customers.update(id, { metadata: '' })).metadata).toEqual({});
});

test('a deleted customer is still answered, as deleted, and is gone from lists', async () => {
  const { id } = await stripe.customers.create({ email: 'a@example.com' });
  await stripe.customers.del(id);
  expect(await stripe.customers.retrieve(id)).toEqual({ id, object: 'customer', deleted: true });
  expect((await stripe.customers.list({ email: 'a@example.com' })).data).toEqual([]);
  await expect(stripe.customers.update(id, { name: 'x' })).rejects.toMatchObject({
    statusCode: 404,
  });
  expect((await stand.control.truth(world)).living).toEqual([]);
});

test('pm_card_visa attaches as a method of its own, the default only when asked', async () => {
  const { id } = await stripe.customers.create({ name: 'A' });
  const method = await stripe.paymentMethods.attach('pm_card_visa', { customer: id });
  expect(method).toMatchObject({ customer: id, type: 'card', card: { last4: '4242' } });
  const before = (await stripe.customers.retrieve(id)) as Stripe.Customer;
  expect(before.invoice_settings.default_payment_method).toBeNull();
  const after = await stripe.customers.update(id, {
    invoice_settings: { default_payment_method: method.id },
    expand: ['invoice_settings.default_payment_method'],
  });
  expect(after.invoice_settings.default_payment_method).toMatchObject({ id: method.id });
  const listed = await stripe.customers.listPaymentMethods(id, { type: 'card' });
  expect(listed.data.map((one) => one.id)).toEqual([method.id]);
  await stripe.paymentMethods.detach(method.id);
  const gone = (await stripe.customers.retrieve(id)) as Stripe.Customer;
  expect(gone.invoice_settings.default_payment_method).toBeNull();
  await expect(stripe.paymentMethods.detach(method.id)).rejects.toMatchObject({ statusCode: 400 });
  expect((await stripe.paymentMethods.list({ customer: id })).data).toEqual([]);
});

test('pm_card_chargeDeclined is declined on attaching, unless a choice lets it in', async () => {
  const { id } = await stripe.customers.create({ name: 'A' });
  await expect(
    stripe.paymentMethods.attach('pm_card_chargeDeclined', { customer: id }),
  ).rejects.toMatchObject({
    statusCode: 402,
    code: 'card_declined',
    decline_code: 'generic_decline',
  });
  await stand.control.people(world, {
    do: 'set-choice',
    name: 'attach-declined-card',
    value: 'attached',
  });
  const held = await stripe.paymentMethods.attach('pm_card_chargeDeclined', { customer: id });
  expect(held.customer).toBe(id);
});

test('raw card numbers are refused: only tokens come in', async () => {
  await expect(
    stripe.paymentMethods.create({
      type: 'card',
      card: { number: '4242424242424242', exp_month: 1, exp_year: 2030, cvc: '123' },
    }),
  ).rejects.toMatchObject({ statusCode: 400 });
  const made = await stripe.paymentMethods.create({ type: 'card', card: { token: 'tok_visa' } });
  expect(made).toMatchObject({ object: 'payment_method', customer: null });
});

test('a person who adds a card finishes the open setup intent and sets the default', async () => {
  const { id } = await stripe.customers.create({ name: 'A' });
  const intent = await stripe.setupIntents.create({ customer: id, usage: 'off_session' });
  expect(intent.status).toBe('requires_payment_method');
  await stand.control.people(world, { do: 'add-payment-method', customer: id });
  expect(await stripe.setupIntents.retrieve(intent.id)).toMatchObject({ status: 'succeeded' });
  const customer = (await stripe.customers.retrieve(id)) as Stripe.Customer;
  expect(customer.invoice_settings.default_payment_method).toMatch(/^pm_/);
  await expect(stripe.setupIntents.cancel(intent.id)).rejects.toMatchObject({
    code: 'setup_intent_unexpected_state',
  });
});

test('an open setup intent is living until it is canceled', async () => {
  const { id } = await stripe.customers.create({ name: 'A' });
  const intent = await stripe.setupIntents.create({
    customer: id,
    automatic_payment_methods: { enabled: true },
  });
  const kinds = (await stand.control.truth(world)).living.map(({ kind }) => kind);
  expect(kinds).toEqual(['customer', 'setup_intent']);
  const canceled = await stripe.setupIntents.cancel(intent.id, {
    cancellation_reason: 'abandoned',
  });
  expect(canceled).toMatchObject({ status: 'canceled', cancellation_reason: 'abandoned' });
  expect((await stripe.setupIntents.list({ customer: id })).data).toHaveLength(1);
  expect((await stand.control.truth(world)).living).toHaveLength(1);
});

test('a standing person gives each new customer a card, and can take it away', async () => {
  await stand.control.people(world, { do: 'standing-payment-method', card: 'visa' });
  const { id, invoice_settings: settings } = await stripe.customers.create({ name: 'A' });
  expect(settings.default_payment_method).toBeNull();
  const held = (await stripe.customers.retrieve(id)) as Stripe.Customer;
  expect(held.invoice_settings.default_payment_method).toMatch(/^pm_/);
  await stand.control.people(world, { do: 'remove-payment-method', customer: id });
  const gone = (await stripe.customers.retrieve(id)) as Stripe.Customer;
  expect(gone.invoice_settings.default_payment_method).toBeNull();
});

test('a new world has the two plans by lookup key, at 19.00 and 49.00 USD a month', async () => {
  const { data } = await stripe.prices.list({ lookup_keys: ['starter', 'growth'], active: true });
  expect(
    data.map(({ id, unit_amount, currency, recurring }) => [
      id,
      unit_amount,
      currency,
      recurring?.interval,
    ]),
  ).toEqual([
    ['price_growth_monthly', 4900, 'usd', 'month'],
    ['price_starter_monthly', 1900, 'usd', 'month'],
  ]);
  const price = await stripe.prices.retrieve('price_starter_monthly', { expand: ['product'] });
  expect(price.product).toMatchObject({ id: 'prod_starter', name: 'Starter' });
});

test('a catalogue can be made: a lookup key is unique until it is transferred', async () => {
  const product = await stripe.products.create({ name: 'Scale', metadata: { a: 'b' } });
  const params = {
    product: product.id,
    currency: 'USD',
    unit_amount: 9_900,
    recurring: { interval: 'month' },
    lookup_key: 'scale',
  } as const;
  const first = await stripe.prices.create(params);
  expect(first).toMatchObject({ currency: 'usd', type: 'recurring', lookup_key: 'scale' });
  await expect(stripe.prices.create(params)).rejects.toMatchObject({ statusCode: 400 });
  const second = await stripe.prices.create({ ...params, transfer_lookup_key: true });
  const { data } = await stripe.prices.list({ lookup_keys: ['scale'] });
  expect(data.map(({ id }) => id)).toEqual([second.id]);
  expect((await stripe.products.list({ active: true })).data[0]).toMatchObject({ name: 'Scale' });
  expect(await stripe.products.retrieve(product.id)).toMatchObject({ metadata: { a: 'b' } });
});

test('a person can set a plan’s price, and bring in a plan that was not there', async () => {
  await stand.control.people(world, { do: 'set-price', plan: 'starter', amountMinor: 1901 });
  const price = await stripe.prices.retrieve('price_starter_monthly');
  expect(price.unit_amount).toBe(1901);
  expect(price.unit_amount_decimal?.toString()).toBe('1901');
  await stand.control.people(world, { do: 'set-price', plan: 'scale', amountMinor: 9900 });
  const { data } = await stripe.prices.list({ lookup_keys: ['scale'] });
  expect(data[0]).toMatchObject({ id: 'price_scale_monthly', unit_amount: 9900 });
});

test('a member that is no reference cannot be expanded', async () => {
  const { id } = await stripe.customers.create({ name: 'A' });
  for (const expand of ['nonsense', 'name']) {
    await expect(stripe.customers.retrieve(id, { expand: [expand] })).rejects.toMatchObject({
      statusCode: 400,
      param: 'expand',
    });
  }
});
