import { z } from 'zod';
import { newSubscription } from './billing-objects.js';
import type { Subscription } from './billing-objects.js';
import { route } from './call.js';
import type { Call, Route } from './call.js';
import type { Price } from './catalogue-objects.js';
import { invoiceFor, openPayment, outcomeOf, payingMethod, tryPayment } from './invoicing.js';
import type { PaymentOutcome } from './invoicing.js';
import { listOf } from './lists.js';
import { bool, int, mergeMetadata, metadata, paging, text } from './params.js';
import { StripeProblem, declined, invalid, missing, notDone } from './problem.js';
import { livingCustomer } from './state.js';
import { cancelNow, settleStatus } from './subscription-life.js';

const NOT_DONE = [
  'add_invoice_items',
  'application_fee_percent',
  'automatic_tax',
  'backdate_start_date',
  'billing_cycle_anchor',
  'billing_mode',
  'cancel_at',
  'collection_method',
  'days_until_due',
  'default_source',
  'discounts',
  'payment_settings',
  'proration_behavior',
  'trial_end',
  'trial_from_plan',
  'trial_period_days',
  'trial_settings',
];

const item = z.strictObject({
  price: text,
  quantity: int.optional(),
  metadata: metadata.optional(),
});

function pricesOf(
  call: Call,
  items: readonly z.output<typeof item>[],
): { id: string; price: Price; quantity: number }[] {
  return items.map(({ price: id, quantity = 1 }, index) => {
    const param = `items[${index}][price]`;
    const price = call.find('prices', 'price', id, param);
    if (price.recurring === null) {
      throw invalid('The price specified is not recurring.', param);
    }
    if (!price.active) {
      throw invalid(
        'The price specified is inactive. This field only accepts active prices.',
        param,
      );
    }
    return { id: call.id('si'), price, quantity };
  });
}

/** The method that would pay. @throws StripeProblem 400 if it is named and not the customer's. */
function methodFor(call: Call, customer: string, named: string | undefined): string | null {
  if (named === undefined) return payingMethod(call, { customer, own: null });
  if (call.state.paymentMethods[named]?.customer === customer) return named;
  throw invalid(
    `The customer does not have a payment method with the ID ${named}. The payment method ` +
      `must be ` +
      `attached to the customer.`,
    'default_payment_method',
    'resource_missing',
  );
}

/**
 * `error_if_incomplete`: a payment that would not go through ends the request, and nothing is
 * made.
 */
function refuseIncomplete(outcome: PaymentOutcome): void {
  if (outcome === 'declined') throw declined();
  if (outcome !== 'requires_action') return;
  throw new StripeProblem(
    402,
    'Payment for this subscription requires additional user action before it can be completed ' +
      'successfully.',
    { type: 'card_error', code: 'subscription_payment_intent_requires_action' },
  );
}

const create = route('POST', '/v1/subscriptions', {
  params: {
    customer: text,
    items: z.array(item).min(1).max(20),
    cancel_at_period_end: bool.optional(),
    currency: text.optional(),
    default_payment_method: text.optional(),
    description: text.max(500).optional(),
    metadata: metadata.optional(),
    off_session: bool.optional(),
    payment_behavior: z
      .enum([
        'allow_incomplete',
        'default_incomplete',
        'error_if_incomplete',
        'pending_if_incomplete',
      ])
      .optional(),
  },
  notDone: NOT_DONE,
  run: (call, given) => {
    const { customer, payment_behavior: behavior = 'allow_incomplete' } = given;
    if (livingCustomer(call.state, customer) === undefined) {
      throw missing('customer', customer, 'customer');
    }
    if (behavior === 'pending_if_incomplete') {
      throw invalid(
        'pending_if_incomplete is only for updates and cannot be passed when creating a ' +
          'subscription.',
        'payment_behavior',
      );
    }
    const items = pricesOf(call, given.items);
    const currency = items[0]?.price.currency ?? 'usd';
    if (items.some(({ price }) => price.currency !== currency)) {
      throw invalid('All prices of a subscription must have the same currency.', 'items');
    }
    if (given.currency !== undefined && given.currency.toLowerCase() !== currency) {
      throw invalid(`The price specified only supports ${currency}.`, 'currency');
    }
    const method = methodFor(call, customer, given.default_payment_method);
    const free = items.every(({ price, quantity }) => price.unit_amount * quantity === 0);
    const outcome = free ? 'succeeded' : outcomeOf(call, method);
    if (outcome === 'no_method' && behavior !== 'default_incomplete') {
      throw invalid(
        'This customer has no attached payment source or default payment method. Please consider ' +
          'adding a default payment method.',
        undefined,
        'resource_missing',
      );
    }
    if (behavior === 'error_if_incomplete') refuseIncomplete(outcome);
    const subscription = newSubscription(call.id('sub'), call.now, {
      customer,
      items,
      currency,
      defaultPaymentMethod: given.default_payment_method ?? null,
      description: given.description ?? null,
      metadata: mergeMetadata({}, given.metadata),
      cancelAtPeriodEnd: given.cancel_at_period_end ?? false,
    });
    call.state.subscriptions[subscription.id] = subscription;
    start(call, subscription, { method, outcome, wait: behavior === 'default_incomplete' });
    return subscription;
  },
});

function start(
  call: Call,
  subscription: Subscription,
  { method, outcome, wait }: { method: string | null; outcome: PaymentOutcome; wait: boolean },
): void {
  const at = call.now;
  const invoice = invoiceFor(call, subscription, { reason: 'subscription_create', at });
  if (invoice.status !== 'paid') {
    if (wait || method === null) openPayment(call, invoice, method);
    else tryPayment(call, invoice, { method, outcome, at });
  }
  settleStatus(call, subscription);
}

const update = route('POST', '/v1/subscriptions/:id', {
  params: {
    cancel_at_period_end: bool.optional(),
    default_payment_method: text.optional(),
    description: text.max(500).optional(),
    metadata: metadata.optional(),
    pause_collection: z
      .union([
        z.literal(''),
        z.strictObject({
          behavior: z.enum(['keep_as_draft', 'mark_uncollectible', 'void']),
          resumes_at: int.optional(),
        }),
      ])
      .optional(),
  },
  notDone: [...NOT_DONE, 'items', 'payment_behavior', 'proration_date', 'off_session'],
  run: (call, given) => {
    const subscription = call.find('subscriptions', 'subscription');
    const { pause_collection: pause, cancel_at_period_end: atEnd } = given;
    if (pause !== undefined && pause !== '' && pause.behavior !== 'void') {
      throw notDone(`pause_collection[behavior]=${pause.behavior}`);
    }
    if (given.default_payment_method !== undefined) {
      subscription.default_payment_method = methodFor(
        call,
        subscription.customer,
        given.default_payment_method,
      );
    }
    if (given.description !== undefined) subscription.description = given.description;
    subscription.metadata = mergeMetadata(subscription.metadata, given.metadata);
    if (pause !== undefined) {
      subscription.pause_collection =
        pause === '' ? null : { behavior: pause.behavior, resumes_at: pause.resumes_at ?? null };
    }
    if (atEnd !== undefined) {
      const end = subscription.items.data[0]?.current_period_end ?? call.now;
      subscription.cancel_at_period_end = atEnd;
      subscription.cancel_at = atEnd ? end : null;
      subscription.canceled_at = atEnd ? call.now : null;
    }
    return subscription;
  },
});

const cancel = route('DELETE', '/v1/subscriptions/:id', {
  params: {
    cancellation_details: z
      .strictObject({
        comment: text.optional(),
        feedback: text.optional(),
      })
      .optional(),
    invoice_now: bool.optional(),
    prorate: bool.optional(),
  },
  run: (call, { cancellation_details: details, invoice_now: invoiceNow, prorate }) => {
    const subscription = call.find('subscriptions', 'subscription');
    // The second cancel says that there is none, although a get still shows it as canceled.
    if (subscription.ended_at !== null) throw missing('subscription', subscription.id);
    if (invoiceNow === true || prorate === true) {
      throw notDone('a credit to the customer balance on cancelling (prorate, invoice_now)');
    }
    cancelNow(call, subscription);
    subscription.cancellation_details.comment = details?.comment ?? null;
    subscription.cancellation_details.feedback = details?.feedback ?? null;
    return subscription;
  },
});

const list = route('GET', '/v1/subscriptions', {
  params: {
    ...paging,
    customer: text.optional(),
    price: text.optional(),
    status: z
      .enum(['active', 'all', 'canceled', 'ended', 'incomplete', 'incomplete_expired', 'past_due'])
      .optional(),
  },
  notDone: ['collection_method', 'current_period_end', 'current_period_start', 'test_clock'],
  run: (call, { customer, price, status, ...page }) => {
    const wanted = Object.values(call.state.subscriptions).filter(
      (one) =>
        (customer === undefined || one.customer === customer) &&
        (price === undefined || one.items.data.some((held) => held.price.id === price)) &&
        fitsStatus(one, status),
    );
    return listOf(call, '/v1/subscriptions', wanted, page);
  },
});

/** Unless told, a list leaves out what is canceled. */
function fitsStatus({ status }: Subscription, wanted: string | undefined): boolean {
  if (wanted === 'all') return true;
  if (wanted === undefined) return status !== 'canceled';
  if (wanted === 'ended') return status === 'canceled' || status === 'incomplete_expired';
  return status === wanted;
}

const retrieve = route('GET', '/v1/subscriptions/:id', {
  params: {},
  run: (call) => call.see('subscriptions', 'subscription'),
});

export const subscriptionRoutes: readonly Route[] = [create, list, retrieve, update, cancel];
