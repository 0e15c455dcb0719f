import { periodEnd } from './catalogue-objects.js';
import type { Subscription } from './billing-objects.js';
import { Call } from './call.js';
import { choice } from './choices.js';
import type { World } from '../core/world.js';
import { invoiceFor, outcomeOf, payingMethod, tryPayment, voidInvoice } from './invoicing.js';

/** An incomplete subscription that nobody pays expires after 23 hours. */
const INCOMPLETE_LIFE_S = 23 * 3_600;
/** More periods than a test ever advances over; a clock set to the year 9999 must not hang. */
const PERIODS_AT_ONCE = 1_000;

const ended = ({ status }: Subscription): boolean =>
  status === 'canceled' || status === 'incomplete_expired';

/** Ends a subscription at once; one that ended stays as it is. Nothing is given back. */
export function cancelNow(call: Call, subscription: Subscription): void {
  if (ended(subscription)) return;
  const incomplete = subscription.status === 'incomplete';
  subscription.status = incomplete ? choice(call.state, 'cancel-incomplete') : 'canceled';
  subscription.canceled_at = call.now;
  subscription.ended_at = call.now;
  subscription.cancel_at_period_end = false;
  subscription.cancel_at = null;
  subscription.cancellation_details.reason = 'cancellation_requested';
  for (const invoice of Object.values(call.state.invoices)) {
    if (invoice.parent?.subscription_details.subscription !== subscription.id) continue;
    if (invoice.status !== 'open') continue;
    if (incomplete) voidInvoice(call, invoice, call.now);
    // An open invoice of a subscription that ran stays open; it is only no longer collected.
    else invoice.auto_advance = false;
  }
}

/** An invoice of an incomplete or past-due subscription was paid: it runs. */
export function settleStatus(call: Call, subscription: Subscription): void {
  const { latest_invoice: latest } = subscription;
  const invoice = latest === null ? undefined : call.state.invoices[latest];
  if (ended(subscription)) return;
  if (invoice?.status === 'paid') subscription.status = 'active';
}

function expire(call: Call, subscription: Subscription): void {
  const at = subscription.created + INCOMPLETE_LIFE_S;
  subscription.status = 'incomplete_expired';
  subscription.ended_at = at;
  const invoice = call.state.invoices[subscription.latest_invoice ?? ''];
  if (invoice?.status === 'open') voidInvoice(call, invoice, at);
}

/** One period over: ended if so asked, else invoiced and charged for the next. */
function renew(call: Call, subscription: Subscription, at: number): void {
  if (subscription.cancel_at_period_end) {
    subscription.status = 'canceled';
    subscription.canceled_at ??= at;
    subscription.ended_at = at;
    return;
  }
  for (const item of subscription.items.data) {
    item.current_period_start = at;
    item.current_period_end =
      item.price.recurring === null ? at : periodEnd(at, item.price.recurring);
  }
  const invoice = invoiceFor(call, subscription, { reason: 'subscription_cycle', at });
  if (invoice.status === 'paid') return;
  if (subscription.pause_collection !== null) {
    voidInvoice(call, invoice, at);
    return;
  }
  const method = payingMethod(call, {
    customer: subscription.customer,
    own: subscription.default_payment_method,
  });
  const outcome = outcomeOf(call, method);
  if (method !== null) tryPayment(call, invoice, { method, outcome, at });
  if (outcome !== 'succeeded') subscription.status = 'past_due';
}

/** Brings a world's subscriptions up to its clock: expiry, the end of a period, renewals. */
export function passTime(world: World): void {
  const call = new Call(world, {}, undefined, undefined);
  const now = call.now;
  for (const subscription of Object.values(call.state.subscriptions)) {
    const { status, created } = subscription;
    if (status === 'incomplete' && now - created >= INCOMPLETE_LIFE_S) expire(call, subscription);
    for (let period = 0; period < PERIODS_AT_ONCE; period += 1) {
      const end = subscription.items.data[0]?.current_period_end ?? Number.POSITIVE_INFINITY;
      if (!['active', 'past_due'].includes(subscription.status) || end > now) break;
      renew(call, subscription, end);
    }
  }
}
