import { z } from 'zod';
import { route } from './call.js';
import type { Call, Route } from './call.js';
import { choice } from './choices.js';
import { listOf } from './lists.js';
import { refund } from './money.js';
import { int, mergeMetadata, metadata, paging, text } from './params.js';
import type { Charge } from './payment-objects.js';
import { invalid } from './problem.js';

/** The charge a refund is of. @throws StripeProblem 400 unless exactly one of the two names it. */
function chargeOf(call: Call, id: string | undefined, intentId: string | undefined): Charge {
  if ((id === undefined) === (intentId === undefined)) {
    throw invalid(
      'One of the following params should be provided for this request: payment_intent or charge.',
      'payment_intent',
    );
  }
  if (id !== undefined) return call.find('charges', 'charge', id, 'charge');
  const intent = call.find('paymentIntents', 'payment_intent', intentId, 'payment_intent');
  if (intent.latest_charge === null) {
    throw invalid(
      `This PaymentIntent (${intent.id}) does not have a successful charge to refund.`,
      'payment_intent',
    );
  }
  return call.find('charges', 'charge', intent.latest_charge, 'charge');
}

export const refundRoutes: readonly Route[] = [
  route('POST', '/v1/refunds', {
    params: {
      amount: int.optional(),
      charge: text.optional(),
      payment_intent: text.optional(),
      metadata: metadata.optional(),
      reason: z.enum(['duplicate', 'fraudulent', 'requested_by_customer']).optional(),
    },
    notDone: ['currency', 'customer', 'origin', 'instructions_email', 'reverse_transfer'],
    run: (call, given) => {
      call.declineHere();
      return refund(call, chargeOf(call, given.charge, given.payment_intent), {
        amountMinor: given.amount,
        reason: given.reason ?? null,
        metadata: mergeMetadata({}, given.metadata),
        status: choice(call.state, 'refunds'),
      });
    },
  }),
  route('GET', '/v1/refunds/:id', {
    params: {},
    run: (call) => call.see('refunds', 'refund'),
  }),
  route('GET', '/v1/refunds', {
    params: { ...paging, charge: text.optional(), payment_intent: text.optional() },
    run: (call, { charge, payment_intent: intent, ...page }) => {
      const wanted = Object.values(call.state.refunds).filter(
        (one) =>
          (charge === undefined || one.charge === charge) &&
          (intent === undefined || one.payment_intent === intent),
      );
      return listOf(call, '/v1/refunds', wanted, page);
    },
  }),
];
