import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type Stripe from 'stripe';
import { tellTruth } from '../../../sandbox/core/truth.js';
import { Worlds } from '../../../sandbox/core/world.js';
import { stripeProvider } from '../../../sandbox/stripe/provider.js';
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

const HOUR_MS = 3_600_000;
type Card = 'visa' | 'declined' | 'authentication-required' | 'none';

async function customer(card: Card = 'visa'): Promise<string> {
  const { id } = await stripe.customers.create({ email: 'owner@example.com' });
  if (card !== 'none') {
    await stand.control.people(world, { do: 'add-payment-method', customer: id, card });
  }
  return id;
}

const subscribe = (
  id: string,
  behavior: Stripe.SubscriptionCreateParams.PaymentBehavior = 'error_if_incomplete',
): Promise<Stripe.Subscription> =>
  stripe.subscriptions.create({
    customer: id,
    items: [{ price: 'price_starter_monthly', quantity: 1 }],
    payment_behavior: behavior,
    off_session: true,
    metadata: { countersign_effect: 'e/1' },
    expand: ['latest_invoice.payments.data.payment.payment_intent'],
  });

interface Paid {
  readonly subscription: Stripe.Subscription;
  readonly invoice: Stripe.Invoice;
  readonly intent: string;
  readonly charge: string;
}
async function paid(): Promise<Paid> {
  const subscription = await subscribe(await customer());
  const invoice = subscription.latest_invoice as Stripe.Invoice;
  const intent = invoice.payments?.data[0]?.payment.payment_intent as Stripe.PaymentIntent;
  return { subscription, invoice, intent: intent.id, charge: intent.latest_charge as string };
}

test('error_if_incomplete with a good card: active, paid once, in the shapes of 2026', async () => {
  const { subscription, invoice, intent, charge } = await paid();
  expect(subscription).toMatchObject({
    status: 'active',
    metadata: { countersign_effect: 'e/1' },
    items: { data: [{ current_period_end: expect.any(Number), quantity: 1 }] },
  });
  expect(subscription).not.toHaveProperty('current_period_end');
  expect(invoice).toMatchObject({
    status: 'paid',
    amount_paid: 1900,
    amount_remaining: 0,
    parent: { subscription_details: { subscription: subscription.id } },
    payments: {
      data: [{ status: 'paid', amount_paid: 1900, payment: { type: 'payment_intent' } }],
    },
  });
  expect(invoice).not.toHaveProperty('payment_intent');
  expect(invoice).not.toHaveProperty('subscription');
  expect(await stripe.paymentIntents.retrieve(intent)).toMatchObject({
    status: 'succeeded',
    amount_received: 1900,
    latest_charge: charge,
  });
  const { charges } = await stand.control.truth(world);
  expect(charges).toEqual([
    {
      provider: 'stripe',
      object: charge,
      amountMinor: 1900,
      currency: 'usd',
      refundedMinor: 0,
      idempotencyKey: expect.any(String),
      at: expect.any(Number),
    },
  ]);
});

test('an invoice shows its payments only when they are asked for', async () => {
  const { invoice } = await paid();
  expect(await stripe.invoices.retrieve(invoice.id)).not.toHaveProperty('payments');
  const listed = await stripe.invoicePayments.list({ invoice: invoice.id });
  expect(listed.data).toHaveLength(1);
});

test.each(['declined', 'authentication-required'] as const)(
  'error_if_incomplete with a card that is %s: 402, and nothing was made',
  async (card) => {
    const id = await customer(card);
    const before = await stand.control.truth(world);
    await expect(subscribe(id)).rejects.toMatchObject({ statusCode: 402, type: 'StripeCardError' });
    const after = await stand.control.truth(world);
    expect(after.stripe).toEqual({ ...before.stripe, counts: expect.anything() });
    expect((await stripe.subscriptions.list({ customer: id, status: 'all' })).data).toEqual([]);
    expect((await stripe.invoices.list({ customer: id })).data).toEqual([]);
  },
);

test.each(['error_if_incomplete', 'allow_incomplete'] as const)(
  '%s without any card is refused with 400 resource_missing',
  async (behavior) => {
    await expect(subscribe(await customer('none'), behavior)).rejects.toMatchObject({
      statusCode: 400,
      code: 'resource_missing',
    });
  },
);

test('allow_incomplete with a declined card: incomplete, and an open invoice', async () => {
  const id = await customer('declined');
  const made = await subscribe(id, 'allow_incomplete');
  const invoice = made.latest_invoice as Stripe.Invoice;
  expect(made.status).toBe('incomplete');
  expect(invoice).toMatchObject({ status: 'open', attempted: true, amount_remaining: 1900 });
  const intent = invoice.payments?.data[0]?.payment.payment_intent as Stripe.PaymentIntent;
  expect(intent).toMatchObject({
    status: 'requires_payment_method',
    last_payment_error: { code: 'card_declined' },
  });
  expect((await stand.control.truth(world)).charges).toEqual([]);
});

test('default_incomplete waits for a person, who confirms the payment', async () => {
  const made = await subscribe(await customer('authentication-required'), 'default_incomplete');
  const invoice = await stripe.invoices.retrieve((made.latest_invoice as Stripe.Invoice).id, {
    expand: ['confirmation_secret', 'payments'],
  });
  expect(invoice.confirmation_secret?.client_secret).toMatch(/^pi_/);
  expect(made.status).toBe('incomplete');
  await stand.control.people(world, {
    do: 'confirm-payment',
    payment_intent: invoice.payments?.data[0]?.payment.payment_intent,
  });
  expect((await stripe.subscriptions.retrieve(made.id)).status).toBe('active');
  expect((await stand.control.truth(world)).charges).toHaveLength(1);
});

test('pending_if_incomplete is refused on creation', async () => {
  await expect(subscribe(await customer(), 'pending_if_incomplete')).rejects.toMatchObject({
    statusCode: 400,
    param: 'payment_behavior',
  });
});

test('an incomplete subscription expires after 23 hours and its invoice is void', async () => {
  const made = await subscribe(await customer('declined'), 'allow_incomplete');
  await stand.control.clock(world, 23 * HOUR_MS + 1_000);
  const held = await stripe.subscriptions.retrieve(made.id, { expand: ['latest_invoice'] });
  expect(held.status).toBe('incomplete_expired');
  expect(held.latest_invoice).toMatchObject({ status: 'void' });
  expect((await stand.control.truth(world)).living.map(({ kind }) => kind)).toEqual(['customer']);
});

test('the second cancel is 404 resource_missing although a get shows it canceled', async () => {
  const { subscription } = await paid();
  const canceled = await stripe.subscriptions.cancel(subscription.id, {
    invoice_now: false,
    prorate: false,
    cancellation_details: { comment: 'rolled back' },
  });
  expect(canceled).toMatchObject({
    status: 'canceled',
    cancellation_details: { comment: 'rolled back', reason: 'cancellation_requested' },
  });
  await expect(stripe.subscriptions.cancel(subscription.id)).rejects.toMatchObject({
    statusCode: 404,
    code: 'resource_missing',
    message: `No such subscription: '${subscription.id}'`,
  });
  expect((await stripe.subscriptions.retrieve(subscription.id)).status).toBe('canceled');
  const of = { customer: subscription.customer as string };
  expect((await stripe.subscriptions.list(of)).data).toEqual([]);
  expect((await stripe.subscriptions.list({ ...of, status: 'all' })).data).toHaveLength(1);
});

test('a cancel gives no money back, and the credit-to-balance variant answers 501', async () => {
  const { subscription } = await paid();
  await expect(
    stripe.subscriptions.cancel(subscription.id, { prorate: true, invoice_now: true }),
  ).rejects.toMatchObject({ statusCode: 501 });
  await stripe.subscriptions.cancel(subscription.id);
  expect((await stand.control.truth(world)).charges[0]).toMatchObject({ refundedMinor: 0 });
});

test('deleting a customer cancels its subscriptions and detaches its cards', async () => {
  const { subscription } = await paid();
  await stripe.customers.del(subscription.customer as string);
  expect((await stripe.subscriptions.retrieve(subscription.id)).status).toBe('canceled');
  const { living, stripe: all } = await stand.control.truth(world);
  expect(living).toEqual([]);
  expect(all['paymentMethods']).toEqual([expect.objectContaining({ customer: null })]);
});

test('a subscription is updated: metadata, pause and cancel at the end of its period', async () => {
  const { subscription } = await paid();
  const updated = await stripe.subscriptions.update(subscription.id, {
    metadata: { more: '1' },
    cancel_at_period_end: true,
    pause_collection: { behavior: 'void' },
  });
  expect(updated).toMatchObject({
    metadata: { countersign_effect: 'e/1', more: '1' },
    cancel_at_period_end: true,
    pause_collection: { behavior: 'void' },
  });
  await stand.control.clock(world, 32 * 24 * HOUR_MS);
  expect((await stripe.subscriptions.retrieve(subscription.id)).status).toBe('canceled');
  expect((await stand.control.truth(world)).charges).toHaveLength(1);
});

test('a live subscription is charged again each month of the world’s clock', async () => {
  const { subscription } = await paid();
  await stand.control.clock(world, 62 * 24 * HOUR_MS);
  const { charges } = await stand.control.truth(world);
  expect(charges).toHaveLength(3);
  // What a read finds time to have done is on disk as well: a kill would not do it anew.
  const onDisk = tellTruth(new Worlds(stand.dataDir).get(world), [stripeProvider()]);
  expect(onDisk.charges).toEqual(charges);
  const { data } = await stripe.invoices.list({ subscription: subscription.id, status: 'paid' });
  expect(data.map(({ billing_reason }) => billing_reason)).toEqual([
    'subscription_cycle',
    'subscription_cycle',
    'subscription_create',
  ]);
});

test('an open invoice is voided, a draft deleted, and neither the other way round', async () => {
  const id = await customer('declined');
  const made = await subscribe(id, 'allow_incomplete');
  const open = (made.latest_invoice as Stripe.Invoice).id;
  const draft = await stripe.invoices.create({ customer: id });
  await expect(stripe.invoices.del(open)).rejects.toMatchObject({ statusCode: 400 });
  await expect(stripe.invoices.voidInvoice(draft.id)).rejects.toMatchObject({ statusCode: 400 });
  expect((await stripe.invoices.voidInvoice(open)).status).toBe('void');
  expect(await stripe.invoices.del(draft.id)).toMatchObject({ deleted: true });
  await expect(stripe.invoices.retrieve(draft.id)).rejects.toMatchObject({ statusCode: 404 });
});

test('a refund comes once: more than is left, or a second full one, is refused', async () => {
  const { intent, charge } = await paid();
  await expect(
    stripe.refunds.create({ payment_intent: intent, amount: 1901 }),
  ).rejects.toMatchObject({ statusCode: 400, param: 'amount' });
  const part = await stripe.refunds.create({ charge, amount: 900, metadata: { m: '1' } });
  expect(part).toMatchObject({ status: 'succeeded', amount: 900, metadata: { m: '1' } });
  await expect(
    stripe.refunds.create({ payment_intent: intent, amount: 1001 }),
  ).rejects.toMatchObject({ statusCode: 400 });
  await stripe.refunds.create({ payment_intent: intent, reason: 'requested_by_customer' });
  await expect(stripe.refunds.create({ payment_intent: intent })).rejects.toMatchObject({
    statusCode: 400,
    code: 'charge_already_refunded',
  });
  expect(await stripe.charges.retrieve(charge)).toMatchObject({
    refunded: true,
    amount_refunded: 1900,
  });
  const { charges } = await stand.control.truth(world);
  expect(charges).toEqual([expect.objectContaining({ amountMinor: 1900, refundedMinor: 1900 })]);
  expect((await stripe.refunds.list({ payment_intent: intent })).data).toHaveLength(2);
  expect((await stripe.refunds.retrieve(part.id)).charge).toBe(charge);
});

test('a pending refund is no money yet, and a person’s bank settles or fails it', async () => {
  const { intent, charge } = await paid();
  await stand.control.people(world, { do: 'set-choice', name: 'refunds', value: 'pending' });
  const made = await stripe.refunds.create({ payment_intent: intent });
  expect(made).toMatchObject({ status: 'pending', pending_reason: 'processing' });
  expect((await stand.control.truth(world)).charges[0]?.refundedMinor).toBe(0);
  await stand.control.people(world, { do: 'settle-refund', refund: made.id, status: 'succeeded' });
  expect((await stripe.refunds.retrieve(made.id)).status).toBe('succeeded');
  expect((await stand.control.truth(world)).charges[0]?.refundedMinor).toBe(1900);
  await stand.control.people(world, { do: 'settle-refund', refund: made.id, status: 'failed' });
  expect(await stripe.charges.retrieve(charge)).toMatchObject({ amount_refunded: 0 });
});

test('a failed refund leaves the charge as it was', async () => {
  const { intent, charge } = await paid();
  await stand.control.people(world, { do: 'set-choice', name: 'refunds', value: 'failed' });
  const made = await stripe.refunds.create({ payment_intent: intent });
  expect(made).toMatchObject({ status: 'failed', failure_reason: 'lost_or_stolen_card' });
  expect(await stripe.charges.retrieve(charge)).toMatchObject({
    refunded: false,
    amount_refunded: 0,
  });
});

test('a credit note gives back by a refund, and counts refunds made without it', async () => {
  const { invoice, intent } = await paid();
  await stripe.refunds.create({ payment_intent: intent, amount: 400 });
  const note = (amount: number): Promise<Stripe.CreditNote> =>
    stripe.creditNotes.create({
      invoice: invoice.id,
      amount,
      refund_amount: amount,
      reason: 'order_change',
      metadata: { m: '1' },
    });
  await expect(note(1900)).rejects.toMatchObject({ statusCode: 400, code: 'amount_too_large' });
  const made = await note(1500);
  expect(made).toMatchObject({ amount: 1500, status: 'issued', refunds: [{ type: 'refund' }] });
  expect((await stand.control.truth(world)).charges[0]?.refundedMinor).toBe(1900);
  expect((await stripe.creditNotes.list({ invoice: invoice.id })).data).toHaveLength(1);
  expect((await stripe.creditNotes.retrieve(made.id)).invoice).toBe(invoice.id);
  await expect(note(1)).rejects.toMatchObject({ statusCode: 400 });
});

test('a credit note whose parts do not add up is refused', async () => {
  const { invoice } = await paid();
  await expect(
    stripe.creditNotes.create({ invoice: invoice.id, amount: 1900, refund_amount: 1000 }),
  ).rejects.toMatchObject({ statusCode: 400 });
});

test('a disputed charge cannot be refunded, and the dispute takes it back', async () => {
  const { charge } = await paid();
  await stand.control.people(world, { do: 'dispute', charge });
  await expect(stripe.refunds.create({ charge })).rejects.toMatchObject({
    code: 'charge_disputed',
  });
  expect(await stripe.charges.retrieve(charge)).toMatchObject({ disputed: true });
  const { data } = await stripe.disputes.list({ charge });
  expect(data).toEqual([expect.objectContaining({ amount: 1900, status: 'needs_response' })]);
});

test('the balance ledger adds up: charges less refunds less fees, which stay', async () => {
  const { intent } = await paid();
  await stripe.refunds.create({ payment_intent: intent });
  const { data } = await stripe.balanceTransactions.list();
  expect(data.map(({ type, amount, fee, net }) => [type, amount, fee, net])).toEqual([
    ['refund', -1900, 0, -1900],
    ['charge', 1900, 85, 1815],
  ]);
  const { stripe: all } = await stand.control.truth(world);
  expect(all['balance']).toMatchObject({ netMinor: -85, feesMinor: 85 });
  expect((await stripe.balance.retrieve()).available).toEqual([
    { amount: -85, currency: 'usd', source_types: { card: -85 } },
  ]);
});
