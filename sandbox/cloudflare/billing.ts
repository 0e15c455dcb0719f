import { z } from 'zod';
import type { Call, Endpoint } from './call.js';
import { accountOf, endpoint, jsonBody, param, visible } from './call.js';
import { choice } from './choices.js';
import type { Reply } from './reply.js';
import { hexId, ok, page, Refusal, single, timestamp } from './reply.js';
import type { PaymentMethodRecord, SubscriptionRecord } from './state.js';

/** Monthly prices in cents. Workers Paid has no typed rate plan id; `workers_paid` is our choice. */
const RATE_PLANS: Record<string, { name: string; monthlyMinor: number }> = {
  free: { name: 'Free Plan', monthlyMinor: 0 },
  lite: { name: 'Lite Plan', monthlyMinor: 500 },
  pro: { name: 'Pro Plan', monthlyMinor: 2500 },
  pro_plus: { name: 'Pro Plus Plan', monthlyMinor: 4000 },
  business: { name: 'Business Plan', monthlyMinor: 25000 },
  workers_paid: { name: 'Workers Paid', monthlyMinor: 500 },
};
const MONTHS = { weekly: 0.25, monthly: 1, quarterly: 3, yearly: 12 } as const;
const MONTH_MS = 30 * 86_400_000;

const subscriptionSchema = z.object({
  frequency: z.enum(['weekly', 'monthly', 'quarterly', 'yearly']).default('monthly'),
  rate_plan: z.object({ id: z.string() }),
});

const viewMethod = (method: PaymentMethodRecord) => ({
  id: method.id,
  type: method.type,
  last_four: method.lastFour,
  default: method.default,
});

/** A scheduled cancel takes effect once the paid period is over. */
const stateOf = (subscription: SubscriptionRecord, now: number): string =>
  subscription.cancelScheduled && now >= subscription.endsAt ? 'Cancelled' : subscription.state;

const viewSubscription = (subscription: SubscriptionRecord, now: number) => ({
  id: subscription.id,
  currency: 'USD',
  current_period_start: timestamp(subscription.startedAt),
  current_period_end: timestamp(subscription.endsAt),
  frequency: subscription.frequency,
  price: subscription.priceMinor / 100,
  rate_plan: {
    id: subscription.ratePlan,
    public_name: RATE_PLANS[subscription.ratePlan]?.name ?? subscription.ratePlan,
    currency: 'USD',
    scope: 'account',
    externally_managed: false,
    is_contract: false,
    sets: [],
  },
  state: stateOf(subscription, now),
});

const subscriptionsOf = (call: Call): SubscriptionRecord[] =>
  Object.values(call.state.subscriptions).filter(
    (subscription) =>
      subscription.accountId === param(call, 'account_id') && visible(call, subscription),
  );

function subscriptionOf(call: Call): SubscriptionRecord {
  const id = param(call, 'subscription_id');
  const found = subscriptionsOf(call).find((subscription) => subscription.id === id);
  if (found === undefined) throw new Refusal(404, 1207, 'Subscription not found');
  return found;
}

/** No idempotency key here: the same call twice is two subscriptions, as with the real service. */
async function createSubscription(call: Call): Promise<Reply> {
  const body = await jsonBody(call, subscriptionSchema, 1001);
  const plan = RATE_PLANS[body.rate_plan.id];
  if (plan === undefined)
    throw new Refusal(400, 1205, 'Invalid rate plan', { pointer: '/rate_plan' });
  const account = accountOf(call);
  const priceMinor = Math.round(plan.monthlyMinor * MONTHS[body.frequency]) + call.driftMinor;
  if (priceMinor > 0 && account.paymentMethods.length === 0) {
    throw new Refusal(403, 1204, 'A payment method is required before subscribing');
  }
  const at = call.now();
  const paid = call.declined ? 'Failed' : choice(call.state, 'subscriptions.payment');
  const subscription: SubscriptionRecord = {
    id: hexId(),
    accountId: account.id,
    ratePlan: body.rate_plan.id,
    frequency: body.frequency,
    priceMinor,
    state: priceMinor === 0 ? 'Paid' : paid,
    startedAt: at,
    endsAt: at + Math.round(MONTHS[body.frequency] * MONTH_MS),
    cancelScheduled: false,
    visibleAt: call.visibleAt,
  };
  call.state.subscriptions[subscription.id] = subscription;
  if (subscription.state === 'Paid' && priceMinor > 0) {
    call.state.charges.push({
      id: hexId(),
      object: subscription.id,
      accountId: account.id,
      amountMinor: priceMinor,
      currency: 'USD',
      refundedMinor: 0,
      at,
      voidAt: null,
      what: 'subscription',
    });
  }
  return ok(viewSubscription(subscription, at));
}

/** Cancelling is a downgrade at the end of the period: nothing is given back. */
function deleteSubscription(call: Call): Reply {
  const subscription = subscriptionOf(call);
  if (subscription.cancelScheduled) {
    throw new Refusal(400, 1206, 'You cannot modify this subscription');
  }
  subscription.cancelScheduled = true;
  return ok({ subscription_id: subscription.id });
}

const READ = { account: 'Billing Read' } as const;
const WRITE = { account: 'Billing Write' } as const;

export const billingEndpoints: readonly Endpoint[] = [
  endpoint('GET', '/accounts/:account_id/payment-methods', READ, (call) =>
    page(accountOf(call).paymentMethods.map(viewMethod), call.query),
  ),
  endpoint('GET', '/accounts/:account_id/subscriptions', READ, (call) =>
    single(subscriptionsOf(call).map((item) => viewSubscription(item, call.now()))),
  ),
  endpoint('POST', '/accounts/:account_id/subscriptions', WRITE, createSubscription),
  endpoint('GET', '/accounts/:account_id/subscriptions/:subscription_id', READ, (call) =>
    ok(viewSubscription(subscriptionOf(call), call.now())),
  ),
  endpoint(
    'DELETE',
    '/accounts/:account_id/subscriptions/:subscription_id',
    WRITE,
    deleteSubscription,
  ),
  // Every zone here is on the free plan, which has no subscription to read.
  endpoint('GET', '/zones/:zone_id/subscription', { zone: 'Zone Read' }, () => {
    throw new Refusal(404, 1207, 'Add a core subscription first, then try again');
  }),
];
