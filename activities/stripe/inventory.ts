import type Stripe from 'stripe';
import type { InvoiceHeld, StripeWorld, SubscriptionHeld } from '../../domain/reconcile/stripe.js';
import type { Budget, InventoryReaders } from '../../gateway/inventory.js';
import { markerOf } from './marker.js';
import { priceSeen } from './readers.js';

const PAGE = 100;

/** Every page of a list, each asked of the budget first. */
async function drain<T extends { id: string }>(
  budget: Budget,
  page: (cursor: { limit: number; starting_after?: string }) => Promise<{
    data: readonly T[];
    has_more: boolean;
  }>,
): Promise<T[]> {
  const all: T[] = [];
  for (;;) {
    budget.take();
    const last = all.at(-1);
    const seen = await page({
      limit: PAGE,
      ...(last === undefined ? {} : { starting_after: last.id }),
    });
    all.push(...seen.data);
    if (!seen.has_more || seen.data.length === 0) return all;
  }
}

const idOf = (held: string | { readonly id: string } | null | undefined): string | undefined =>
  typeof held === 'string' ? held : held?.id;

/** Everything at Stripe that money or our marker touches. No name and no address is taken along. */
export const stripeInventory: InventoryReaders['stripe'] = async (
  client,
  budget,
  sinceS,
): Promise<StripeWorld> => {
  const since = { created: { gte: sinceS } };
  const customers = await drain(budget, (cursor) => client.customers.list(cursor));
  const subscriptions = await drain(budget, (cursor) =>
    client.subscriptions.list({ ...cursor, status: 'all' }),
  );
  const invoices = await drain(budget, (cursor) =>
    client.invoices.list({ ...cursor, ...since, expand: ['data.payments'] }),
  );
  const charges = await drain(budget, (cursor) => client.charges.list({ ...cursor, ...since }));
  const refunds = await drain(budget, (cursor) => client.refunds.list({ ...cursor, ...since }));
  const disputes = await drain(budget, (cursor) => client.disputes.list({ ...cursor, ...since }));
  return {
    customers: customers.map((customer) => ({ id: customer.id, marker: markerOf(customer) })),
    subscriptions: subscriptions.map(subscriptionHeld),
    invoices: invoices.map(invoiceHeld),
    charges: charges.map((charge) => ({
      id: charge.id,
      customer: idOf(charge.customer),
      payment: idOf(charge.payment_intent),
      amountMinor: charge.amount,
      currency: charge.currency.toUpperCase(),
      succeeded: charge.status === 'succeeded',
    })),
    refunds: refunds.map((refund) => ({
      id: refund.id,
      payment: idOf(refund.payment_intent),
      amountMinor: refund.amount,
      status: refund.status ?? 'unknown',
    })),
    disputes: disputes.map((dispute) => ({
      id: dispute.id,
      charge: idOf(dispute.charge) ?? '',
      payment: idOf(dispute.payment_intent),
      amountMinor: dispute.amount,
      status: dispute.status,
    })),
  };
};

function subscriptionHeld(subscription: Stripe.Subscription): SubscriptionHeld {
  const ends = subscription.items.data.map((item) => item.current_period_end);
  return {
    id: subscription.id,
    marker: markerOf(subscription),
    customer: idOf(subscription.customer) ?? '',
    status: subscription.status,
    endsAtPeriodEnd: subscription.cancel_at_period_end || subscription.cancel_at !== null,
    paused: subscription.pause_collection !== null,
    items: subscription.items.data.map(({ price, quantity }) => {
      const { amountMinor, currency, interval, priceId } = priceSeen(price);
      return { price: priceId, quantity: quantity ?? 0, amountMinor, currency, interval };
    }),
    periodEndMs: Math.max(0, ...ends) * 1_000,
  };
}

function invoiceHeld(invoice: Stripe.Invoice): InvoiceHeld {
  const paidAt = invoice.status_transitions.paid_at;
  return {
    id: invoice.id,
    subscription: idOf(invoice.parent?.subscription_details?.subscription),
    reason: invoice.billing_reason ?? 'manual',
    status: invoice.status ?? 'draft',
    attempted: invoice.attempted,
    paidMinor: invoice.amount_paid,
    createdMs: invoice.created * 1_000,
    paidAtMs: paidAt === null ? undefined : paidAt * 1_000,
    payments: (invoice.payments?.data ?? []).flatMap(
      ({ payment }) => idOf(payment.payment_intent) ?? [],
    ),
  };
}
