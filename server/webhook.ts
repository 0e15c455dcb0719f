import { Failure } from '../domain/errors.js';
import { receiveStripeEvent } from '../gateway/stripe/webhook.js';
import { recordRefusal } from '../store/refusals.js';
import { Problem } from './problem.js';
import type { Handler } from './routes.js';

/** An event of Stripe: verified, put on record once, answered at once. Whoever reads the record asks Stripe. */
export const postStripe: Handler = async ({ body, headers, parts }) => {
  const { gateway, nowMs, webhook } = parts;
  try {
    const signature = headers.get('stripe-signature') ?? '';
    const made = await receiveStripeEvent(gateway.db, webhook, {
      ...{ payload: body, signature, nowMs: nowMs() },
    });
    return { status: 200, json: { received: true, known: !made } };
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'ADMISSION_REFUSED') throw error;
    const reason = String(error.details['reason']);
    await recordRefusal(gateway.db, { asked: 'webhook', reason, detail: error.message });
    throw new Problem(400, reason, error.message);
  }
};
