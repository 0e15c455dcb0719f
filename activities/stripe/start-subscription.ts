import type Stripe from 'stripe';
import { z } from 'zod';
import { Failure } from '../../domain/errors.js';
import { formatAmount } from '../../domain/money.js';
import type { Found, Operation, OperationContext, Reversal } from '../../gateway/operation.js';
import { classifyStripe, isMissing } from './errors.js';
import { MARKER, markerOf } from './marker.js';
import { priceSeen } from './readers.js';

const params = z.object({
  price: z.string(),
  quantity: z.literal(1),
  amountMinor: z.int().min(0),
  currency: z.string(),
  interval: z.enum(['month', 'year']),
  customer: z.string(),
});
type Params = z.infer<typeof params>;
type Context = OperationContext<'stripe'>;

/** What Stripe took for the first period, in minor units: the paid part of the first invoice. */
function made(id: string, invoice: Stripe.Invoice | string | null | undefined): Found {
  const paid = typeof invoice === 'object' && invoice !== null ? invoice.amount_paid : 0;
  const invoiceId = typeof invoice === 'object' ? invoice?.id : invoice;
  return {
    object: id,
    capturedMinor: paid,
    fields: {
      subscriptionId: id,
      ...(invoiceId === undefined ? {} : { invoiceId }),
    },
  };
}

/** A subscription to a price known by id and amount. `error_if_incomplete`: a decline leaves nothing half made. */
export const startSubscription: Operation<'stripe', Params> = {
  name: 'subscriptions.create',
  provider: 'stripe',
  keyed: true,
  knownBy: 'marker',
  params,
  check: async ({ client }, wanted) => {
    const price = priceSeen(await client.prices.retrieve(wanted.price));
    const fits =
      price.active &&
      price.amountMinor === wanted.amountMinor &&
      price.currency === wanted.currency &&
      price.interval === wanted.interval;
    if (!fits)
      throw new Failure(
        'GRANT_VOID',
        `the price ${wanted.price} is now ${price.amountMinor} ${price.currency} a ${price.interval}, and ${wanted.amountMinor} ${wanted.currency} a ${wanted.interval} was approved`,
        { step: 'start-subscription' },
      );
  },
  send: async ({ client, marker, key }, { customer, price, quantity }) => {
    const subscription = await client.subscriptions.create(
      {
        customer,
        items: [{ price, quantity }],
        payment_behavior: 'error_if_incomplete',
        off_session: true,
        metadata: { [MARKER]: marker },
        expand: ['latest_invoice'],
      },
      { idempotencyKey: key },
    );
    return made(subscription.id, subscription.latest_invoice);
  },
  find: async (ctx, { customer }) => {
    const found: Found[] = [];
    const list = ctx.client.subscriptions.list({ customer, status: 'all', limit: 100 });
    for await (const subscription of list)
      if (markerOf(subscription) === ctx.marker && subscription.status !== 'incomplete_expired') {
        // By now it may have been renewed: the first invoice is what was captured.
        const [first] = await invoices(ctx, subscription.id);
        found.push(made(subscription.id, first ?? subscription.latest_invoice));
      }
    const [first, ...others] = found.reverse();
    return first === undefined ? { kind: 'absent' } : { kind: 'found', ...first, others };
  },
  classify: classifyStripe,
};

/**
 * Cancels at once and gives the first charge back in full. The processing fee is not given back, nor is what was charged
 * for renewals since, which nobody approved giving back (residue, and a case).
 */
export const cancelSubscription: Reversal<'stripe', Params> = {
  name: 'subscriptions.cancel',
  provider: 'stripe',
  inspect: async ({ client, marker }, _params, { object }) => {
    const subscription = await client.subscriptions.retrieve(object);
    if (markerOf(subscription) !== marker)
      throw new Failure(
        'USED_BY_OTHERS',
        `the subscription ${object} no longer bears our marker: somebody else has taken it over`,
        { step: 'start-subscription' },
      );
  },
  reverse: async (ctx, _params, { object, capturedMinor }) => {
    await cancel(ctx, object);
    for (const { paymentIntent, shareMinor } of await payments(ctx, object, capturedMinor)) {
      if (shareMinor === 0) continue;
      const { given } = mustReturn(await refunds(ctx, paymentIntent));
      if (given < shareMinor)
        await ctx.client.refunds.create(
          {
            payment_intent: paymentIntent,
            amount: shareMinor - given,
            reason: 'requested_by_customer',
            metadata: { [MARKER]: ctx.marker },
          },
          // One payment, one key: a plan's first invoice has one, and a later one gets its own.
          { idempotencyKey: `${ctx.key}/${paymentIntent}` },
        );
    }
  },
  readBack: async (ctx, { currency }, { object, capturedMinor }) => {
    const subscription = await ctx.client.subscriptions.retrieve(object);
    if (subscription.status !== 'canceled')
      return { done: false, waitMs: 500, why: `the subscription ${object} is not canceled yet` };
    let refundedMinor = 0;
    let renewalsMinor = 0;
    for (const paid of await payments(ctx, object, capturedMinor)) {
      const seen = await refunds(ctx, paid.paymentIntent);
      if (paid.shareMinor > 0) mustReturn(seen);
      if (seen.given < paid.shareMinor)
        return { done: false, waitMs: 500, why: 'the charge is not given back yet' };
      if (paid.shareMinor > 0 && seen.pending > 0)
        return { done: false, waitMs: 30_000, why: 'the refund is on its way to the card' };
      refundedMinor += paid.shareMinor;
      renewalsMinor += paid.paidMinor - Math.max(paid.shareMinor, seen.given);
    }
    if (renewalsMinor === 0)
      return { done: true, refundedMinor, residue: { minor: 0, text: FEES } };
    const amount = formatAmount({ minor: renewalsMinor, currency });
    return {
      done: true,
      refundedMinor,
      residue: { minor: renewalsMinor, text: `${amount} of renewals since; ${FEES}` },
      caseText: `The subscription ${object} was renewed before it was taken back: ${amount} of renewals are not given back, since no more than the first charge was approved. Refund them at Stripe if the customer shall have them back.`,
    };
  },
  classify: classifyStripe,
};

/** Ends it at once, after its run has completed: what was paid is not given back, by nobody's word but a person's own. */
export const endSubscription: Reversal<'stripe', Params> = {
  ...cancelSubscription,
  name: 'subscriptions.end',
  reverse: (ctx, _params, { object }) => cancel(ctx, object),
  readBack: async ({ client }, _params, { object }) => {
    const subscription = await client.subscriptions.retrieve(object);
    return subscription.status === 'canceled'
      ? { done: true, refundedMinor: 0, residue: { minor: 0, text: NOT_REFUNDED } }
      : { done: false, waitMs: 500, why: `the subscription ${object} is not canceled yet` };
  },
};

const NOT_REFUNDED = 'what was paid for the period that ran is not given back';
const FEES = 'what the card payment cost the platform is not given back';

async function cancel({ client }: Context, id: string): Promise<void> {
  const { status } = await client.subscriptions.retrieve(id);
  if (status === 'canceled') return;
  try {
    await client.subscriptions.cancel(id, {
      invoice_now: false,
      prorate: false,
      cancellation_details: { comment: 'taken back by countersign' },
    });
  } catch (error) {
    // A second cancel answers 404; whether it is canceled is read back.
    if (!isMissing(error)) throw error;
  }
}

/** Every invoice of a subscription, oldest first. */
async function invoices({ client }: Context, subscription: string): Promise<Stripe.Invoice[]> {
  const seen: Stripe.Invoice[] = [];
  const list = client.invoices.list({ subscription, limit: 100, expand: ['data.payments'] });
  for await (const invoice of list) seen.push(invoice);
  return seen.reverse();
}

interface Payment {
  readonly paymentIntent: string;
  readonly paidMinor: number;
  /** What of it may be given back. */
  readonly shareMinor: number;
}

/**
 * The payments that were really taken for a subscription, oldest first, and what of each may be given back: all together
 * no more than was captured, so that a renewal since is left alone. Amounts in minor units.
 */
async function payments(
  ctx: Context,
  subscription: string,
  capturedMinor: number,
): Promise<readonly Payment[]> {
  const taken: Payment[] = [];
  let left = capturedMinor;
  for (const invoice of await invoices(ctx, subscription))
    for (const { payment, amount_paid: paid } of invoice.payments?.data ?? []) {
      const intent = payment.payment_intent;
      const paymentIntent = typeof intent === 'string' ? intent : intent?.id;
      if (paymentIntent === undefined || (paid ?? 0) <= 0) continue;
      const paidMinor = paid ?? 0;
      const shareMinor = Math.min(paidMinor, left);
      left -= shareMinor;
      taken.push({ paymentIntent, paidMinor, shareMinor });
    }
  return taken;
}

interface Refunds {
  /** Refunded or on its way, in minor units. */
  readonly given: number;
  /** Of it, not there yet. */
  readonly pending: number;
  /** One that failed at the bank. */
  readonly failed: string | undefined;
}

async function refunds({ client }: Context, paymentIntent: string): Promise<Refunds> {
  let given = 0;
  let pending = 0;
  let failed: string | undefined;
  for await (const refund of client.refunds.list({ payment_intent: paymentIntent, limit: 100 })) {
    if (refund.status === 'succeeded') given += refund.amount;
    else if (refund.status === 'failed' || refund.status === 'canceled') failed = refund.id;
    else {
      given += refund.amount;
      pending += refund.amount;
    }
  }
  return { given, pending, failed };
}

/** A failed refund needs a person. @throws COMPENSATION_FAILED */
function mustReturn(seen: Refunds): Refunds {
  if (seen.failed !== undefined && seen.given === 0)
    throw new Failure(
      'COMPENSATION_FAILED',
      `the refund ${seen.failed} failed at the bank: somebody has to give the money back another way`,
      { step: 'start-subscription' },
    );
  return seen;
}
