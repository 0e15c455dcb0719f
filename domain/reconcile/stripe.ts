import {
  about,
  bearsOurMark,
  judgeMarked,
  ofStep,
  Sheet,
  type Compared,
  type OurRecords,
} from './records.js';
import { compareSubscription } from './subscription.js';

/** What exists at Stripe, read by list. Amounts in minor units, instants in ms; no name, no address. */
export interface StripeWorld {
  readonly customers: readonly { readonly id: string; readonly marker: string | undefined }[];
  readonly subscriptions: readonly SubscriptionHeld[];
  readonly invoices: readonly InvoiceHeld[];
  readonly charges: readonly ChargeHeld[];
  readonly refunds: readonly RefundHeld[];
  readonly disputes: readonly DisputeHeld[];
}

export interface SubscriptionHeld {
  readonly id: string;
  readonly marker: string | undefined;
  readonly customer: string;
  readonly status: string;
  readonly endsAtPeriodEnd: boolean;
  readonly paused: boolean;
  readonly items: readonly {
    readonly price: string;
    readonly quantity: number;
    readonly amountMinor: number;
    readonly currency: string;
    readonly interval: string;
  }[];
  readonly periodEndMs: number;
}

export interface InvoiceHeld {
  readonly id: string;
  readonly subscription: string | undefined;
  readonly reason: string;
  readonly status: string;
  readonly attempted: boolean;
  readonly paidMinor: number;
  readonly createdMs: number;
  readonly paidAtMs: number | undefined;
  readonly payments: readonly string[];
}

export interface ChargeHeld {
  readonly id: string;
  readonly customer: string | undefined;
  readonly payment: string | undefined;
  readonly amountMinor: number;
  readonly currency: string;
  readonly succeeded: boolean;
}

export interface RefundHeld {
  readonly id: string;
  readonly payment: string | undefined;
  readonly amountMinor: number;
  readonly status: string;
}

export interface DisputeHeld {
  readonly id: string;
  readonly charge: string;
  readonly payment: string | undefined;
  readonly amountMinor: number;
  readonly status: string;
}

const ENDED: readonly string[] = ['canceled', 'incomplete_expired'];
export const hasEnded = ({ status }: SubscriptionHeld): boolean => ENDED.includes(status);

/** Compares what Stripe holds with what is on record. Pure: reads nothing and changes nothing. */
export function compareStripe(records: OurRecords, world: StripeWorld): Compared {
  const sheet = new Sheet();
  for (const customer of world.customers)
    if (!records.accounts.has(customer.id) || bearsOurMark(records, customer.marker))
      sheet.take(
        'customer',
        customer.id,
        judgeMarked(records, customer, { provider: 'stripe', kind: 'customer' }),
      );
  for (const effect of ofStep(records, 'create-customer'))
    if (effect.state === 'stands' && !world.customers.some(({ id }) => id === effect.object))
      sheet.find({
        name: `thing-missing/stripe/customer/${effect.object ?? ''}`,
        kind: 'thing-missing',
        object: effect.object ?? '',
        ...about(effect),
        text: `the customer ${effect.object ?? ''} of ${effect.runId} is not at Stripe any more: it was deleted`,
      });
  for (const subscription of world.subscriptions)
    if (!hasEnded(subscription))
      sheet.take(
        'subscription',
        subscription.id,
        judgeMarked(records, subscription, { provider: 'stripe', kind: 'subscription' }),
      );
  for (const effect of ofStep(records, 'start-subscription'))
    compareSubscription(sheet, records, effect, world);
  charges(sheet, records, world);
  return sheet;
}

/** Charges that nothing on record accounts for, and those that are disputed. */
function charges(sheet: Sheet, records: OurRecords, world: StripeWorld): void {
  const invoiceOf = new Map(
    world.invoices.flatMap((invoice) => invoice.payments.map((one) => [one, invoice] as const)),
  );
  const ourCustomers = new Set(
    world.customers.filter(({ marker }) => bearsOurMark(records, marker)).map(({ id }) => id),
  );
  const ourSubscriptions = new Map(
    ofStep(records, 'start-subscription').map((effect) => [effect.object, effect] as const),
  );
  const byPayment = (payment: string | undefined) =>
    ourSubscriptions.get(invoiceOf.get(payment ?? '')?.subscription);
  const marked = new Set(
    world.subscriptions.filter(({ marker }) => bearsOurMark(records, marker)).map(({ id }) => id),
  );
  const disputedCharges = new Map(world.charges.map((charge) => [charge.id, charge] as const));
  for (const charge of world.charges) {
    const subscription = invoiceOf.get(charge.payment ?? '')?.subscription;
    // Of a subscription that bears our mark: that one is judged by itself.
    if (!charge.succeeded || (subscription !== undefined && marked.has(subscription))) continue;
    if (byPayment(charge.payment) !== undefined) continue;
    if (
      subscription === undefined &&
      charge.customer !== undefined &&
      ourCustomers.has(charge.customer)
    )
      sheet.find({
        name: `orphan-money/stripe/charge/${charge.id}`,
        kind: 'orphan-money',
        object: charge.id,
        text: `the charge ${charge.id} took ${charge.amountMinor} ${charge.currency} from our customer ${charge.customer}, and no effect on record accounts for it`,
      });
    else sheet.unmanaged.push({ kind: 'charge', object: charge.id });
  }
  for (const dispute of world.disputes) {
    const charge = disputedCharges.get(dispute.charge);
    const effect = byPayment(dispute.payment ?? charge?.payment);
    if (dispute.status === 'won' || dispute.status === 'warning_closed') continue;
    const ours = effect !== undefined || ourCustomers.has(charge?.customer ?? '');
    if (!ours) sheet.unmanaged.push({ kind: 'dispute', object: dispute.id });
    else
      sheet.find({
        name: `dispute/stripe/${dispute.id}`,
        kind: 'dispute',
        object: dispute.id,
        ...(effect === undefined ? {} : about(effect)),
        text: `the dispute ${dispute.id} over the charge ${dispute.charge} holds ${dispute.amountMinor} back: it is ${dispute.status}`,
      });
  }
}
