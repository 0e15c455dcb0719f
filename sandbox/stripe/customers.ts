import { route } from './call.js';
import type { Call, Route } from './call.js';
import { newCustomer } from './customer-objects.js';
import type { Customer } from './customer-objects.js';
import { listOf } from './lists.js';
import { mergeMetadata, metadata, paging, text } from './params.js';
import { addCard, attach, detach } from './payment-methods.js';
import { invalid, missing } from './problem.js';
import { livingCustomer } from './state.js';
import { cancelNow } from './subscription-life.js';
import { z } from 'zod';

const members = {
  description: text.optional(),
  email: text.optional(),
  name: text.optional(),
  phone: text.optional(),
  metadata: metadata.optional(),
  invoice_settings: z.strictObject({ default_payment_method: text.optional() }).optional(),
};
const NOT_DONE = [
  'address',
  'balance',
  'business_name',
  'cash_balance',
  'individual_name',
  'invoice_prefix',
  'next_invoice_sequence',
  'preferred_locales',
  'shipping',
  'source',
  'tax',
  'tax_exempt',
  'tax_id_data',
  'test_clock',
];

type Members = z.output<z.ZodObject<typeof members>>;

/**
 * The customer of that id, as a write finds it. @throws StripeProblem 404, also once it is
 * deleted.
 */
export function liveCustomer(call: Call, id: string, param = 'id'): Customer {
  const found = livingCustomer(call.state, id);
  if (found === undefined) throw missing('customer', id, param);
  return found;
}

/** Checks everything before it changes anything: a refused request leaves no trace. */
function apply(call: Call, customer: Customer, given: Members): void {
  const { email, invoice_settings: settings } = given;
  if (email !== undefined && email !== '' && !/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(email)) {
    throw invalid(`Invalid email address: ${email}`, 'email', 'email_invalid');
  }
  const method = settings?.default_payment_method;
  if (
    method !== undefined &&
    method !== '' &&
    call.state.paymentMethods[method]?.customer !== customer.id
  ) {
    throw invalid(
      `The customer does not have a payment method with the ID ${method}. The payment method ` +
        `must be ` +
        `attached to the customer.`,
      'invoice_settings[default_payment_method]',
      'resource_missing',
    );
  }
  if (method !== undefined) {
    customer.invoice_settings.default_payment_method = method === '' ? null : method;
  }
  for (const member of ['description', 'email', 'name', 'phone'] as const) {
    const value = given[member];
    if (value !== undefined) customer[member] = value === '' ? null : value;
  }
  customer.metadata = mergeMetadata(customer.metadata, given.metadata);
}

const create = route('POST', '/v1/customers', {
  params: { ...members, payment_method: text.optional() },
  notDone: NOT_DONE,
  run: (call, { payment_method: method, ...given }) => {
    call.declineHere();
    const { invoice_settings: settings, ...plain } = given;
    const customer = newCustomer(call.id('cus'), call.now);
    apply(call, customer, plain);
    if (method !== undefined) {
      const attached = attach(call, method, customer.id);
      call.state.paymentMethods[attached.id] = attached;
      // The default may name the very test card that this request attaches.
      if (settings?.default_payment_method === method)
        settings.default_payment_method = attached.id;
    }
    apply(call, customer, { invoice_settings: settings });
    call.state.customers[customer.id] = customer;
    const { standingCard } = call.state;
    if (standingCard !== null) {
      call.afterwards.push(() => {
        addCard(call, customer, standingCard);
      });
    }
    return customer;
  },
});

const update = route('POST', '/v1/customers/:id', {
  params: members,
  notDone: NOT_DONE,
  run: (call, given) => {
    const customer = liveCustomer(call, call.target);
    apply(call, customer, given);
    return customer;
  },
});

const remove = route('DELETE', '/v1/customers/:id', {
  params: {},
  run: (call) => {
    const customer = liveCustomer(call, call.target);
    for (const subscription of Object.values(call.state.subscriptions)) {
      if (subscription.customer === customer.id) cancelNow(call, subscription);
    }
    for (const method of Object.values(call.state.paymentMethods)) {
      if (method.customer === customer.id) detach(call, method);
    }
    const deleted = { id: customer.id, object: 'customer', deleted: true } as const;
    call.state.customers[customer.id] = deleted;
    return deleted;
  },
});

const retrieve = route('GET', '/v1/customers/:id', {
  params: {},
  // A deleted customer is still answered, with 200 and little else.
  run: (call) => call.see('customers', 'customer'),
});

const list = route('GET', '/v1/customers', {
  params: { ...paging, email: text.optional() },
  notDone: ['test_clock'],
  run: (call, { email, ...page }) => {
    const living = Object.values(call.state.customers).filter(
      (customer): customer is Customer =>
        !('deleted' in customer) && (email === undefined || customer.email === email),
    );
    return listOf(call, '/v1/customers', living, page);
  },
});

export const customerRoutes: readonly Route[] = [create, list, retrieve, update, remove];
