import Stripe from 'stripe';
import { z } from 'zod';
import { Failure } from '../../domain/errors.js';
import type { Database } from '../../store/connect.js';
import { addWebhookEvent, type WebhookEvent } from '../../store/webhook-events.js';

/** An event is at most this long: a longer body is not read at all. */
export const WEBHOOK_BYTES_MAX = 256 * 1_024;
/** How old a signature may be, in s. */
const TOLERANCE_S = 300;

const HEADER = /^[a-z0-9]{1,10}=[^,=]{1,200}(,[a-z0-9]{1,10}=[^,=]{1,200}){0,20}$/;

const eventSchema = z.object({
  id: z.string().regex(/^evt_[A-Za-z0-9_]{1,200}$/),
  object: z.literal('event'),
  type: z.string().regex(/^[a-z0-9_.]{1,100}$/),
  livemode: z.boolean(),
  account: z.string().optional(),
  data: z.object({ object: z.object({ id: z.string().regex(/^[A-Za-z0-9_]{1,255}$/) }) }),
});

/** What arrived: the raw body, and the header over it. */
export interface ReceivedEvent {
  readonly payload: Buffer;
  readonly signature: string;
  readonly nowMs: number;
}

export interface WebhookTrust {
  /** The endpoint's secrets; while one is rotated there are two. */
  readonly secrets: readonly string[];
  /** Real money or not: an event of the other kind is refused. */
  readonly livemode: boolean;
  /** The connected account whose events are meant; absent: the platform's own, whose events name none. */
  readonly account?: string | undefined;
}

/**
 * Puts an event of Stripe on record, once, if its signature over these very bytes stands. Nothing else of it is kept, and
 * nothing is believed: whoever reads the row asks Stripe. False: it was on record already.
 * @throws ADMISSION_REFUSED naming the reason in `details.reason`
 */
export async function receiveStripeEvent(
  db: Database,
  trust: WebhookTrust,
  of: ReceivedEvent,
): Promise<boolean> {
  return addWebhookEvent(db, readStripeEvent(trust, of));
}

/**
 * What goes on record of an event, if its signature over these very bytes stands.
 * @throws ADMISSION_REFUSED naming the reason in `details.reason`
 */
export function readStripeEvent(trust: WebhookTrust, of: ReceivedEvent): WebhookEvent {
  // guard: what is too long is neither hashed nor parsed.
  if (of.payload.length > WEBHOOK_BYTES_MAX)
    throw refused('webhook-malformed', `this event has more than ${WEBHOOK_BYTES_MAX} bytes`);
  const event = eventSchema.safeParse(verified(trust, of));
  if (!event.success) throw refused('webhook-malformed', 'this is no event of Stripe');
  const { account, data, id, livemode, type } = event.data;
  // guard: a genuine event of another account or of the other mode says nothing about what is ours.
  if (livemode !== trust.livemode || account !== trust.account)
    throw refused('webhook-foreign', 'this event is of another account or mode');
  return { event_id: id, provider: 'stripe', type, object_id: data.object.id };
}

function verified({ secrets }: WebhookTrust, of: ReceivedEvent): unknown {
  // guard: a header with an empty part makes the library fail as if the fault were ours.
  if (!HEADER.test(of.signature)) throw refused('webhook-signature', 'this is no signature header');
  for (const secret of secrets) {
    try {
      // guard: without a signature over the raw body, made within the tolerance, nothing is parsed for use.
      return Stripe.webhooks.constructEvent(
        of.payload,
        of.signature,
        secret,
        TOLERANCE_S,
        undefined,
        of.nowMs,
      );
    } catch (error) {
      if (
        !(error instanceof Stripe.errors.StripeSignatureVerificationError) &&
        !(error instanceof SyntaxError)
      )
        throw error;
    }
  }
  throw refused('webhook-signature', 'the signature does not fit, or is too old');
}

const refused = (reason: string, message: string): Failure =>
  new Failure('ADMISSION_REFUSED', message, { reason });
