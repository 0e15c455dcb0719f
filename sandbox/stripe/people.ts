import { z } from 'zod';
import { BadMember, readMembers } from '../core/provider.js';
import type { PersonAction } from '../core/provider.js';
import type { World } from '../core/world.js';
import { Call } from './call.js';
import { setAmount } from './catalogue-objects.js';
import type { Price } from './catalogue-objects.js';
import { STRIPE_CHOICES, isChoice } from './choices.js';
import { CARDS } from './customer-objects.js';
import type { Customer } from './customer-objects.js';
import { tryPayment } from './invoicing.js';
import { dispute, failRefund } from './money.js';
import { addCard, detach } from './payment-methods.js';
import { StripeProblem } from './problem.js';
import { addPlan, livingCustomer, stripeState } from './state.js';
import type { StripeState } from './state.js';
import { settleStatus } from './subscription-life.js';
import { webhookPeople } from './webhooks.js';

const card = z.enum(CARDS);
const verb = { do: z.string() };
const minor = z.int().min(0).max(99_999_999);

/** A person's doing: the body read by its schema, in the name of nobody's key. */
function person<S extends z.ZodRawShape>(
  shape: S,
  act: (call: Call, body: z.output<z.ZodObject<S & typeof verb, z.core.$strict>>) => unknown,
): PersonAction {
  const schema = z.strictObject({ ...shape, ...verb });
  return (world: World, body) => {
    const read = readMembers(schema, body);
    try {
      return act(new Call(world, {}, undefined, undefined), read);
    } catch (error) {
      if (!(error instanceof StripeProblem)) throw error;
      throw new BadMember(error.details.param ?? 'body', error.message);
    }
  };
}

function customerOf(state: StripeState, id: string): Customer {
  const found = livingCustomer(state, id);
  if (found === undefined) throw new BadMember('customer', `there is no customer ${id}`);
  return found;
}

/** The price that an id or a plan's lookup key names. */
function priceOf(state: StripeState, name: string): Price | undefined {
  return (
    state.prices[name] ?? Object.values(state.prices).find((price) => price.lookup_key === name)
  );
}

const setPrice = person(
  {
    price: z.string().optional(),
    plan: z
      .string()
      .regex(/^[a-z][a-z0-9_-]{0,40}$/)
      .optional(),
    amountMinor: minor,
    currency: z
      .string()
      .regex(/^[a-z]{3}$/i)
      .default('usd'),
  },
  ({ state, now }, { price, plan, amountMinor, currency }) => {
    const name = price ?? plan;
    if (name === undefined) throw new BadMember('price', 'name a price id or a plan');
    const held = priceOf(state, name);
    if (held === undefined && plan === undefined) {
      throw new BadMember('price', `there is no price ${name}`);
    }
    if (held === undefined) {
      const key = name;
      return addPlan(state, {
        key,
        name: key,
        amountMinor,
        currency: currency.toLowerCase(),
        created: now,
      });
    }
    // Our choice: the amount changes under the same id, which the real API does not let anybody do.
    // A caller that trusts the id alone is found out by it.
    setAmount(held, amountMinor);
    held.currency = currency.toLowerCase();
    return held;
  },
);

const confirmPayment = person({ payment_intent: z.string() }, (call, { payment_intent: id }) => {
  const intent = call.find('paymentIntents', 'payment_intent', id, 'payment_intent');
  const payment = Object.values(call.state.invoicePayments).find(
    (one) => one.payment.payment_intent === id,
  );
  const invoice = call.state.invoices[payment?.invoice ?? ''];
  const method =
    intent.payment_method ??
    livingCustomer(call.state, intent.customer)?.invoice_settings.default_payment_method;
  if (invoice?.status !== 'open' || method === undefined || method === null) {
    throw new BadMember('payment_intent', `${id} is not open, or there is no card to pay it with`);
  }
  tryPayment(call, invoice, { method, outcome: 'succeeded', at: call.now });
  const subscription =
    call.state.subscriptions[invoice.parent?.subscription_details.subscription ?? ''];
  if (subscription !== undefined) settleStatus(call, subscription);
  return { intent: id, status: intent.status };
});

const settleRefund = person(
  { refund: z.string(), status: z.enum(['succeeded', 'failed']) },
  (call, { refund: id, status }) => {
    const made = call.find('refunds', 'refund', id, 'refund');
    if (made.status === 'failed') throw new BadMember('refund', `${id} has failed already`);
    if (status === 'failed') failRefund(call, made);
    else {
      made.status = 'succeeded';
      delete made.pending_reason;
    }
    return { refund: id, status: made.status };
  },
);

const setChoice = person({ name: z.string(), value: z.string() }, ({ state }, { name, value }) => {
  if (!isChoice(name)) {
    throw new BadMember('name', `no such choice: ${Object.keys(STRIPE_CHOICES).join(', ')}`);
  }
  const values: readonly string[] = STRIPE_CHOICES[name];
  if (!values.includes(value)) {
    throw new BadMember('value', `${name} is one of ${values.join(', ')}`);
  }
  state.choices[name] = value;
  return { name, value };
});

/** Somebody changes what a subscription costs, in the dashboard: from its next period on, as without a proration. */
const changeSubscription = person(
  {
    subscription: z.string(),
    price: z.string().optional(),
    quantity: z.int().min(1).max(1_000).optional(),
  },
  (call, { subscription: id, price: name, quantity }) => {
    const held = call.find('subscriptions', 'subscription', id, 'subscription');
    const [item] = held.items.data;
    const price = name === undefined ? item?.price : priceOf(call.state, name);
    if (item === undefined || price === undefined) {
      throw new BadMember('price', `there is no price ${name ?? ''}`);
    }
    item.price = price;
    item.quantity = quantity ?? item.quantity;
    return { subscription: id, price: price.id, quantity: item.quantity };
  },
);

/** What a person would do at Stripe, or in Stripe's own pages. */
export const stripePeople: Readonly<Record<string, PersonAction>> = {
  'add-payment-method': person(
    { customer: z.string(), card: card.default('visa') },
    (call, body) => ({
      paymentMethod: addCard(call, customerOf(call.state, body.customer), body.card).id,
    }),
  ),
  'remove-payment-method': person({ customer: z.string() }, (call, { customer }) => {
    const { id } = customerOf(call.state, customer);
    const held = Object.values(call.state.paymentMethods).filter((one) => one.customer === id);
    for (const method of held) detach(call, method);
    return { removed: held.map((method) => method.id) };
  }),
  'standing-payment-method': person({ card: card.nullable() }, ({ state }, { card: kind }) => {
    state.standingCard = kind;
    return { card: kind };
  }),
  'mend-card': person({ customer: z.string().optional() }, ({ state }, { customer }) => {
    const mended = Object.values(state.paymentMethods).filter(
      (one) => one.customer !== null && (customer === undefined || one.customer === customer),
    );
    for (const { id } of mended) state.cards[id] = 'visa';
    if (state.standingCard !== null) state.standingCard = 'visa';
    return { mended: mended.map(({ id }) => id) };
  }),
  'set-price': setPrice,
  'change-subscription': changeSubscription,
  'confirm-payment': confirmPayment,
  dispute: person({ charge: z.string() }, (call, { charge }) =>
    dispute(call, call.find('charges', 'charge', charge, 'charge')),
  ),
  'settle-refund': settleRefund,
  'set-choice': setChoice,
  ...webhookPeople,
};

/**
 * What a `price-drift` does: adds to the prices that a request names, or to all if it names
 * none.
 */
export function drift(world: World, text: string, byMinor: number): void {
  const prices = Object.values(stripeState(world).prices);
  const named = prices.filter(
    ({ id, lookup_key: key }) => text.includes(id) || (key !== null && text.includes(key)),
  );
  for (const price of named.length > 0 ? named : prices) {
    setAmount(price, Math.max(0, price.unit_amount + byMinor));
  }
}
