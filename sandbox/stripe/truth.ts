import type { Charge as ChargeTruth, LivingResource, ProviderTruth } from '../core/provider.js';
import type { World } from '../core/world.js';
import { stripeState } from './state.js';
import type { StripeState } from './state.js';
import { passTime } from './subscription-life.js';
import { webhookTruth } from './webhooks.js';

/** The metadata member under which callers leave their marker. */
const MARKER = 'countersign_effect';

const sum = (amounts: readonly number[]): number => amounts.reduce((all, one) => all + one, 0);

function chargesOf(state: StripeState): ChargeTruth[] {
  return Object.values(state.charges)
    .filter(({ status }) => status === 'succeeded')
    .map(({ id, amount, currency, created }) => {
      const key = state.chargeKeys[id];
      return {
        provider: 'stripe',
        object: id,
        amountMinor: amount,
        currency,
        // Only what has really come back counts: a pending or failed refund is no money yet.
        refundedMinor: sum(
          Object.values(state.refunds)
            .filter((refund) => refund.charge === id && refund.status === 'succeeded')
            .map((refund) => refund.amount),
        ),
        ...(key === undefined ? {} : { idempotencyKey: key }),
        at: created * 1_000,
      };
    });
}

function livingOf(state: StripeState): LivingResource[] {
  const one = (
    kind: string,
    { id, metadata }: { id: string; metadata: Record<string, string> },
    name: string,
  ): LivingResource => ({ provider: 'stripe', kind, id, name, marker: metadata[MARKER] ?? null });
  return [
    ...Object.values(state.customers).flatMap((customer) =>
      'deleted' in customer
        ? []
        : [one('customer', customer, customer.email ?? customer.name ?? customer.id)],
    ),
    ...Object.values(state.subscriptions)
      .filter(({ ended_at: ended }) => ended === null)
      .map((held) => one('subscription', held, held.items.data[0]?.price.id ?? held.id)),
    ...Object.values(state.invoices)
      .filter(({ status }) => status === 'draft' || status === 'open')
      .map((invoice) => one('invoice', invoice, invoice.number ?? invoice.id)),
    ...Object.values(state.setupIntents)
      .filter(({ status }) => status.startsWith('requires_'))
      .map((intent) => one('setup_intent', intent, intent.customer ?? intent.id)),
  ];
}

/** What one world holds at Stripe. Amounts in cents; `at` in ms. */
export function stripeTruth(world: World): ProviderTruth {
  passTime(world);
  const state = stripeState(world);
  const charges = chargesOf(state);
  const living = livingOf(state);
  const movements = Object.values(state.balanceTransactions);
  const count = (kind: string): number => living.filter((one) => one.kind === kind).length;
  return {
    charges,
    living,
    counts: {
      charges: charges.length,
      refunds: Object.keys(state.refunds).length,
      customers: count('customer'),
      subscriptions: count('subscription'),
      keys: Object.keys(state.answers).length,
    },
    customers: Object.values(state.customers),
    paymentMethods: Object.values(state.paymentMethods),
    setupIntents: Object.values(state.setupIntents),
    prices: Object.values(state.prices),
    subscriptions: Object.values(state.subscriptions),
    invoices: Object.values(state.invoices),
    paymentIntents: Object.values(state.paymentIntents),
    refunds: Object.values(state.refunds),
    creditNotes: Object.values(state.creditNotes),
    disputes: Object.values(state.disputes),
    balance: {
      movements,
      netMinor: sum(movements.map(({ net }) => net)),
      feesMinor: sum(movements.map(({ fee }) => fee)),
    },
    choices: state.choices,
    ...webhookTruth(world),
  };
}
