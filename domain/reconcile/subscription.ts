import { about, textOf, type OurEffect, type OurRecords, type Sheet } from './records.js';
import type { InvoiceHeld, StripeWorld, SubscriptionHeld } from './stripe.js';

/** So long after the end of its period a subscription that runs must have been charged again. In ms. */
const RENEWED_WITHIN_MS = 86_400_000;
const FAILED_REFUNDS: readonly string[] = ['failed', 'canceled'];
const UNPAID: readonly string[] = ['past_due', 'unpaid', 'incomplete'];

/** Compares one subscription effect with the object, its invoices and its refunds. */
export function compareSubscription(
  sheet: Sheet,
  records: OurRecords,
  effect: OurEffect,
  world: StripeWorld,
): void {
  const { object } = effect;
  if (effect.state === 'moving' || object === undefined) return;
  const invoices = world.invoices.filter(({ subscription }) => subscription === object);
  refunds(sheet, effect, invoices, world);
  if (effect.state !== 'stands') return;
  const seen = world.subscriptions.find(({ id }) => id === object);
  const ended = seen !== undefined && ['canceled', 'incomplete_expired'].includes(seen.status);
  if (seen === undefined) {
    sheet.find({
      name: `thing-missing/stripe/subscription/${object}`,
      kind: 'thing-missing',
      object,
      ...about(effect),
      text: `the subscription ${object} of ${effect.runId} is not at Stripe any more`,
    });
  } else {
    const changed = ended ? ['it has ended'] : changesOf(effect, seen);
    if (changed.length > 0)
      sheet.find({
        name: `subscription-changed/stripe/${object}`,
        kind: 'subscription-changed',
        object,
        ...about(effect),
        text: `the subscription ${object} is not as it was approved: ${changed.join('; ')}`,
      });
    if (!ended) overdue(sheet, records, effect, seen);
  }
  if (seen === undefined || ended) sheet.ended.push(effect.effectId);
  money(sheet, effect, invoices);
}

function changesOf(effect: OurEffect, seen: SubscriptionHeld): string[] {
  const { amountMinor, currency, interval, price, quantity } = effect.params;
  const [item, ...others] = seen.items;
  return [
    ...(item === undefined || others.length > 0 ? [`it has ${seen.items.length} prices`] : []),
    ...(item !== undefined && item.price !== price ? [`its price is ${item.price}`] : []),
    ...(item !== undefined && item.quantity !== quantity
      ? [`its quantity is ${item.quantity}`]
      : []),
    ...(item !== undefined &&
    (item.amountMinor !== amountMinor || item.currency !== currency || item.interval !== interval)
      ? [
          `it costs ${item.amountMinor} ${item.currency} a ${item.interval}, and ${textOf(effect, 'amountMinor')} ${textOf(effect, 'currency')} a ${textOf(effect, 'interval')} was approved`,
        ]
      : []),
    ...(seen.endsAtPeriodEnd ? ['it ends with its period'] : []),
    ...pauseOf(effect, seen),
  ];
}

/** A stop may want it paused; nothing is said while that is on its way. */
function pauseOf({ paused = 'no' }: OurEffect, seen: SubscriptionHeld): string[] {
  if (paused === 'moving') return [];
  if (seen.paused && paused === 'no') return ['its collection is paused'];
  return paused === 'yes' && !seen.paused ? ['a stop has paused it, and it collects'] : [];
}

function overdue(
  sheet: Sheet,
  records: OurRecords,
  effect: OurEffect,
  seen: SubscriptionHeld,
): void {
  const { id: object, status } = seen;
  if (UNPAID.includes(status))
    sheet.find({
      name: `payment-failed/stripe/subscription/${object}`,
      kind: 'payment-failed',
      object,
      ...about(effect),
      text: `the subscription ${object} is ${status}: its last invoice could not be charged`,
    });
  else if (!seen.paused && seen.periodEndMs + RENEWED_WITHIN_MS < records.nowMs)
    sheet.find({
      name: `renewal-missed/stripe/${object}`,
      kind: 'renewal-missed',
      object,
      ...about(effect),
      text: `the subscription ${object} is ${status}, and its period ended without a further charge`,
    });
}

/** The first charge against what was captured; each later one against what renews. */
function money(sheet: Sheet, effect: OurEffect, invoices: readonly InvoiceHeld[]): void {
  for (const invoice of invoices) {
    const { id, paidMinor, reason } = invoice;
    const differs = (expected: number, of: string): void => {
      sheet.find({
        name: `amount-differs/stripe/${id}`,
        kind: 'amount-differs',
        object: id,
        ...about(effect),
        text: `the invoice ${id} of ${effect.object ?? ''} took ${paidMinor} ${effect.currency}, and ${of} ${expected} is on record`,
      });
    };
    if (reason === 'subscription_create') {
      if (invoice.status === 'paid' && paidMinor !== effect.capturedMinor)
        differs(effect.capturedMinor, 'a first charge of');
    } else if (reason === 'subscription_cycle') {
      if (invoice.status !== 'paid') continue;
      sheet.renewed.push({
        effectId: effect.effectId,
        object: id,
        paidMinor,
        paidAtMs: invoice.paidAtMs ?? invoice.createdMs,
      });
      if (paidMinor !== effect.renewalMinor) differs(effect.renewalMinor ?? 0, 'a renewal of');
    } else if (paidMinor > 0)
      sheet.find({
        name: `orphan-money/stripe/invoice/${id}`,
        kind: 'orphan-money',
        object: id,
        ...about(effect),
        text: `the invoice ${id} of ${effect.object ?? ''} took ${paidMinor} ${effect.currency} besides its renewals`,
      });
  }
}

function refunds(
  sheet: Sheet,
  effect: OurEffect,
  invoices: readonly InvoiceHeld[],
  world: StripeWorld,
): void {
  const payments = new Set(invoices.flatMap((invoice) => invoice.payments));
  const made = world.refunds.filter(({ payment }) => payments.has(payment ?? ''));
  const given = made
    .filter(({ status }) => !FAILED_REFUNDS.includes(status))
    .reduce((sum, { amountMinor }) => sum + amountMinor, 0);
  const missing = effect.refundedMinor - given;
  const failed = made.filter(({ status }) => FAILED_REFUNDS.includes(status));
  for (const { id, amountMinor, status } of missing > 0 ? failed : [])
    sheet.find({
      name: `refund-failed/stripe/${id}`,
      kind: 'refund-failed',
      object: id,
      ...about(effect),
      text: `the refund ${id} of ${amountMinor} ${effect.currency} for ${effect.object ?? ''} is ${status}`,
    });
  if (missing > 0 && failed.length === 0)
    sheet.find({
      name: `refund-missing/stripe/${effect.object ?? ''}`,
      kind: 'refund-missing',
      object: effect.object ?? '',
      ...about(effect),
      text: `${effect.refundedMinor} ${effect.currency} of ${effect.object ?? ''} are booked as given back, and ${given} are at Stripe`,
    });
}
