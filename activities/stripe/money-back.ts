import type Stripe from 'stripe';
import type { DisputeSeen, MoneyBackReaders, RefundSeen } from '../../gateway/money-back.js';
import { isMissing } from './errors.js';
import { markerOf } from './marker.js';

const FAILED: readonly (string | null)[] = ['failed', 'canceled'];
const UNPAID: readonly string[] = ['past_due', 'unpaid'];

const idOf = (of: string | { readonly id: string } | null | undefined): string | undefined =>
  typeof of === 'string' ? of : of?.id;

async function orMissing<T>(get: () => Promise<T>): Promise<T | undefined> {
  try {
    return await get();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** What a dispute holds back is what its movements on the balance come to: nothing for an inquiry, nothing once won. */
function disputeSeen(dispute: Stripe.Dispute): DisputeSeen {
  const moved = dispute.balance_transactions;
  return {
    disputeId: dispute.id,
    charge: idOf(dispute.charge) ?? '',
    paymentIntent: idOf(dispute.payment_intent),
    status: dispute.status,
    amountMinor: dispute.amount,
    withheldMinor: -moved.reduce((sum, { amount }) => sum + amount, 0),
    feeMinor: moved.reduce((sum, { fee }) => sum + fee, 0),
  };
}

const refundSeen = (refund: Stripe.Refund): RefundSeen => ({
  refundId: refund.id,
  amountMinor: refund.amount,
  failed: FAILED.includes(refund.status),
  marker: markerOf(refund),
});

/** The payments that an invoice was paid with. */
const paymentsOf = (invoice: Stripe.Invoice): readonly (string | undefined)[] =>
  (invoice.payments?.data ?? []).map(({ payment }) => idOf(payment.payment_intent));

/** What a bank took or sent back: by get and list. */
export const moneyBackReaders: MoneyBackReaders = {
  dispute: async (client, id) => {
    const seen = await orMissing(() => client.disputes.retrieve(id));
    return seen === undefined ? undefined : disputeSeen(seen);
  },
  disputesSince: async (client, sinceS) => {
    const found: DisputeSeen[] = [];
    const list = client.disputes.list({ created: { gte: sinceS }, limit: 100 });
    for await (const dispute of list) found.push(disputeSeen(dispute));
    return found;
  },
  refund: async (client, id) => {
    const seen = await orMissing(() => client.refunds.retrieve(id));
    return seen === undefined ? undefined : refundSeen(seen);
  },
  refundsSince: async (client, sinceS) => {
    const found: RefundSeen[] = [];
    const list = client.refunds.list({ created: { gte: sinceS }, limit: 100 });
    for await (const refund of list) found.push(refundSeen(refund));
    return found;
  },
  markerOfPayment: async (client, paymentIntent) => {
    const intent = await client.paymentIntents.retrieve(paymentIntent);
    const customer = idOf(intent.customer);
    if (customer === undefined) return undefined;
    const list = client.subscriptions.list({ customer, status: 'all', limit: 100 });
    for await (const subscription of list) {
      const marker = markerOf(subscription);
      if (marker === undefined) continue;
      const invoices = client.invoices.list({
        subscription: subscription.id,
        limit: 100,
        expand: ['data.payments'],
      });
      for await (const invoice of invoices)
        if (paymentsOf(invoice).includes(paymentIntent)) return marker;
    }
    return undefined;
  },
  subscriptionOfInvoice: async (client, id) => {
    const invoice = await orMissing(() => client.invoices.retrieve(id));
    const subscription = idOf(invoice?.parent?.subscription_details?.subscription);
    if (subscription === undefined) return undefined;
    const seen = await orMissing(() => client.subscriptions.retrieve(subscription));
    if (seen === undefined) return undefined;
    return {
      subscriptionId: seen.id,
      status: seen.status,
      unpaid: UNPAID.includes(seen.status),
      marker: markerOf(seen),
    };
  },
};
