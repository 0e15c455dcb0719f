import type Stripe from 'stripe';
import { z } from 'zod';
import { Failure } from '../../domain/errors.js';
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
function made(subscription: Stripe.Subscription): Found {
  const invoice = subscription.latest_invoice;
  const paid = typeof invoice === 'object' && invoice !== null ? invoice.amount_paid : 0;
  const invoiceId = typeof invoice === 'object' ? invoice?.id : invoice;
  return {
    object: subscription.id,
    capturedMinor: paid,
    fields: {
      subscriptionId: subscription.id,
      ...(invoiceId === undefined ? {} : { invoiceId }),
    },
  };
}

/** A subscription to a price known by id and amount. `error_if_incomplete`: a decline leaves nothing half made. */
export const startSubscription: Operation<'stripe', Params> = {
  name: 'subscriptions.create',
  provider: 'stripe',
  keyed: true,
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
  send: async ({ client, marker, key }, { customer, price, quantity }) =>
    made(
      await client.subscriptions.create(
        {
          customer,
          items: [{ price, quantity }],
          payment_behavior: 'error_if_incomplete',
          off_session: true,
          metadata: { [MARKER]: marker },
          expand: ['latest_invoice'],
        },
        { idempotencyKey: key },
      ),
    ),
  find: async ({ client, marker }, { customer }) => {
    const found: Found[] = [];
    const list = client.subscriptions.list({
      customer,
      status: 'all',
      limit: 100,
      expand: ['data.latest_invoice'],
    });
    for await (const subscription of list)
      if (markerOf(subscription) === marker && subscription.status !== 'incomplete_expired')
        found.push(made(subscription));
    const [first, ...others] = found.reverse();
    return first === undefined ? { kind: 'absent' } : { kind: 'found', ...first, others };
  },
  classify: classifyStripe,
};

/** Cancels at once and gives the charge back in full; the processing fee is not given back (residue). */
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
  reverse: async (ctx, _params, { object }) => {
    await cancel(ctx, object);
    for (const { paymentIntent, paidMinor } of await payments(ctx, object)) {
      const { given } = await refunds(ctx, paymentIntent);
      if (given < paidMinor)
        await ctx.client.refunds.create(
          {
            payment_intent: paymentIntent,
            amount: paidMinor - given,
            reason: 'requested_by_customer',
            metadata: { [MARKER]: ctx.marker },
          },
          // One payment, one key: a plan's first invoice has one, and a later one gets its own.
          { idempotencyKey: `${ctx.key}/${paymentIntent}` },
        );
    }
  },
  readBack: async (ctx, _params, { object }) => {
    const subscription = await ctx.client.subscriptions.retrieve(object);
    if (subscription.status !== 'canceled')
      return { done: false, waitMs: 500, why: `the subscription ${object} is not canceled yet` };
    let refundedMinor = 0;
    for (const { paymentIntent, paidMinor } of await payments(ctx, object)) {
      const seen = await refunds(ctx, paymentIntent);
      if (seen.given < paidMinor)
        return { done: false, waitMs: 500, why: 'the charge is not given back yet' };
      if (seen.pending > 0)
        return { done: false, waitMs: 30_000, why: 'the refund is on its way to the card' };
      refundedMinor += seen.given;
    }
    return { done: true, refundedMinor, residue: { minor: 0, text: FEES } };
  },
  classify: classifyStripe,
};

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

/** The payments that were really taken for a subscription, newest first. Amounts in minor units. */
async function payments(
  { client }: Context,
  subscription: string,
): Promise<readonly { readonly paymentIntent: string; readonly paidMinor: number }[]> {
  const taken: { paymentIntent: string; paidMinor: number }[] = [];
  const list = client.invoices.list({ subscription, limit: 100, expand: ['data.payments'] });
  for await (const invoice of list)
    for (const { payment, amount_paid: paid } of invoice.payments?.data ?? []) {
      const intent = payment.payment_intent;
      const id = typeof intent === 'string' ? intent : intent?.id;
      if (id !== undefined && (paid ?? 0) > 0)
        taken.push({ paymentIntent: id, paidMinor: paid ?? 0 });
    }
  return taken;
}

/** `given`: refunded or on its way; `pending`: of it, not there yet. A failed refund needs a person. */
async function refunds(
  { client }: Context,
  paymentIntent: string,
): Promise<{ readonly given: number; readonly pending: number }> {
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
  if (failed !== undefined && given === 0)
    throw new Failure(
      'COMPENSATION_FAILED',
      `the refund ${failed} failed at the bank: somebody has to give the money back another way`,
      { step: 'start-subscription' },
    );
  return { given, pending };
}
