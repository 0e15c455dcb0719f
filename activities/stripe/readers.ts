import type Stripe from 'stripe';
import type {
  CustomerSeen,
  PriceSeen,
  StripeReaders,
  SubscriptionSeen,
} from '../../gateway/readers.js';
import { classifyStripe, isMissing } from './errors.js';
import { markerOf } from './marker.js';

const RUNNING: readonly string[] = ['active', 'trialing', 'past_due'];

/** What the gateway reads at Stripe: by get or list, never by search, which lags behind. */
export const stripeReaders: StripeReaders = {
  customer: async (client, customerId) => {
    try {
      const customer = await client.customers.retrieve(customerId);
      return customer.deleted === true ? undefined : customerSeen(customer);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  },
  customersByEmail: async (client, email) => {
    const found: CustomerSeen[] = [];
    for await (const customer of client.customers.list({ email, limit: 100 }))
      found.push(customerSeen(customer));
    return found;
  },
  price: async (client, priceId) => {
    try {
      return priceSeen(await client.prices.retrieve(priceId));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  },
  subscriptions: async (client, customerId) => {
    const found: SubscriptionSeen[] = [];
    const list = client.subscriptions.list({ customer: customerId, status: 'all', limit: 100 });
    for await (const subscription of list) found.push(...subscriptionSeen(subscription));
    return found;
  },
  hasPaymentMethod: async (client, customerId) => {
    const customer = await client.customers.retrieve(customerId);
    if (customer.deleted === true) return false;
    const { default_payment_method: method } = customer.invoice_settings;
    return method !== null || customer.default_source !== null;
  },
  classify: classifyStripe,
};

const customerSeen = (customer: Stripe.Customer): CustomerSeen => ({
  customerId: customer.id,
  email: customer.email ?? undefined,
  marker: markerOf(customer),
});

export function priceSeen(price: Stripe.Price): PriceSeen {
  const { recurring } = price;
  const plain = recurring?.interval_count === 1 && recurring.usage_type === 'licensed';
  const interval: string = plain ? recurring.interval : 'other';
  return {
    priceId: price.id,
    active: price.active,
    amountMinor: price.unit_amount ?? 0,
    currency: price.currency.toUpperCase(),
    interval: interval === 'month' || interval === 'year' ? interval : 'other',
  };
}

/** A subscription of several prices is none that a plan can name: each of its items is shown. */
function subscriptionSeen(subscription: Stripe.Subscription): SubscriptionSeen[] {
  return subscription.items.data.map(({ price }) => ({
    subscriptionId: subscription.id,
    running: RUNNING.includes(subscription.status),
    endsAtPeriodEnd: subscription.cancel_at_period_end || subscription.cancel_at !== null,
    price: priceSeen(price),
    marker: markerOf(subscription),
  }));
}
