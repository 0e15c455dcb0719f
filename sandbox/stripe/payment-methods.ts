import { z } from 'zod';
import { route } from './call.js';
import type { Call, Route } from './call.js';
import { choice } from './choices.js';
import { newPaymentMethod } from './customer-objects.js';
import type { Card, Customer, PaymentMethod } from './customer-objects.js';
import { listOf } from './lists.js';
import { mergeMetadata, metadata, paging, text } from './params.js';
import { declined, invalid, missing, notDone } from './problem.js';
import { livingCustomer } from './state.js';

/** The provider's test cards, by the name under which a caller attaches them. */
const TEST_CARDS: Readonly<Record<string, Card>> = {
  pm_card_visa: 'visa',
  pm_card_chargeDeclined: 'declined',
  pm_card_chargeCustomerFail: 'declined',
  pm_card_authenticationRequired: 'authentication-required',
};
const TEST_TOKENS: Readonly<Record<string, Card>> = {
  tok_visa: 'visa',
  tok_chargeDeclined: 'declined',
  tok_chargeCustomerFail: 'declined',
};

/**
 * What attaching `id` to a customer gives: for a test card a fresh payment method, not yet in the
 * state. @throws StripeProblem 402 for the card that declines at once, 400 or 404 else.
 */
export function attach(call: Call, id: string, customer: string): PaymentMethod {
  const card = TEST_CARDS[id];
  if (card !== undefined) {
    // `pm_card_chargeCustomerFail` is the card that can be attached and then declines.
    const refused = choice(call.state, 'attach-declined-card') === 'refused';
    if (id === 'pm_card_chargeDeclined' && refused) throw declined();
    const made = newPaymentMethod(call.id('pm'), call.now, card);
    call.state.cards[made.id] = card;
    return { ...made, customer };
  }
  const held = call.find('paymentMethods', 'PaymentMethod', id, 'payment_method');
  if (held.customer !== null && held.customer !== customer) {
    throw invalid(
      'The payment method you provided has already been attached to a customer.',
      undefined,
      'payment_method_unexpected_state',
    );
  }
  held.customer = customer;
  return held;
}

/** Takes a method off its customer, for ever; it is no longer anybody's default. */
export function detach(call: Call, method: PaymentMethod): void {
  const owner = method.customer === null ? undefined : livingCustomer(call.state, method.customer);
  if (owner?.invoice_settings.default_payment_method === method.id) {
    owner.invoice_settings.default_payment_method = null;
  }
  method.customer = null;
}

/** A person adds a card: attached, the default from now on, and any open setup intent is done. */
export function addCard(call: Call, customer: Customer, card: Card): PaymentMethod {
  const method = { ...newPaymentMethod(call.id('pm'), call.now, card), customer: customer.id };
  call.state.paymentMethods[method.id] = method;
  call.state.cards[method.id] = card;
  customer.invoice_settings.default_payment_method = method.id;
  for (const intent of Object.values(call.state.setupIntents)) {
    if (intent.customer !== customer.id || !intent.status.startsWith('requires_')) continue;
    intent.status = 'succeeded';
    intent.payment_method = method.id;
  }
  return method;
}

const routes: Route[] = [
  route('POST', '/v1/payment_methods', {
    params: {
      type: z.literal('card'),
      card: z.record(z.string(), text),
      metadata: metadata.optional(),
    },
    notDone: ['billing_details', 'customer', 'payment_method', 'allow_redisplay'],
    run: (call, { card: { token = '', ...numbers }, metadata: given }) => {
      if (Object.keys(numbers).length > 0) {
        throw invalid('Sending credit card numbers directly to the API is unsafe: use a token.');
      }
      const card = TEST_TOKENS[token];
      if (card === undefined) throw missing('token', token, 'card[token]');
      const method = newPaymentMethod(call.id('pm'), call.now, card);
      method.metadata = mergeMetadata({}, given);
      call.state.paymentMethods[method.id] = method;
      call.state.cards[method.id] = card;
      return method;
    },
  }),
  route('POST', '/v1/payment_methods/:id/attach', {
    params: { customer: text },
    run: (call, { customer }) => {
      call.declineHere();
      const owner = livingCustomer(call.state, customer);
      if (owner === undefined) throw missing('customer', customer, 'customer');
      const method = attach(call, call.target, owner.id);
      call.state.paymentMethods[method.id] = method;
      return method;
    },
  }),
  route('POST', '/v1/payment_methods/:id/detach', {
    params: {},
    run: (call) => {
      const method = call.find('paymentMethods', 'PaymentMethod');
      if (method.customer === null) {
        throw invalid(
          'The payment method you provided is not attached to a customer so detachment is ' +
            'impossible.',
        );
      }
      detach(call, method);
      return method;
    },
  }),
  route('GET', '/v1/payment_methods/:id', {
    params: {},
    run: (call) => call.see('paymentMethods', 'PaymentMethod'),
  }),
];

/** Cards are all there is, so `type` filters nothing. */
const listing = { ...paging, type: z.literal('card').optional() };

function methodsOf(call: Call, customer: string): PaymentMethod[] {
  return Object.values(call.state.paymentMethods).filter((method) => method.customer === customer);
}

export const paymentMethodRoutes: readonly Route[] = [
  ...routes,
  route('GET', '/v1/payment_methods', {
    params: { ...listing, customer: text.optional() },
    run: (call, { customer, ...page }) => {
      if (customer === undefined) throw notDone('payment methods without a customer');
      return listOf(call, '/v1/payment_methods', methodsOf(call, customer), page);
    },
  }),
  route('GET', '/v1/customers/:id/payment_methods', {
    params: listing,
    run: (call, page) => {
      if (livingCustomer(call.state, call.target) === undefined) {
        throw missing('customer', call.target, 'customer');
      }
      const url = `/v1/customers/${call.target}/payment_methods`;
      return listOf(call, url, methodsOf(call, call.target), page);
    },
  }),
];
