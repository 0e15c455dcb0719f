import Stripe from 'stripe';
import { unbound } from '../send-once.js';
import type { SendOnce, Unbound } from '../send-once.js';

export interface StripeCredentials {
  readonly apiKey: string;
  /** Origin of the API, e.g. `https://api.stripe.com` or a sandbox on loopback. */
  readonly origin: string;
}

export const STRIPE_ORIGIN = 'https://api.stripe.com';

/** Longer than any deadline of ours, so that ours alone ends a request. In ms. */
const SDK_TIMEOUT_MS = 10 * 60_000;

/** A client for one attempt: every option explicit, no retries of its own, no telemetry, one send a call. */
export const stripeClient = (
  credentials: StripeCredentials,
  send: Omit<SendOnce, 'origin'>,
): Stripe => unboundStripe(credentials).bind(send);

/** The same, made before it is known by whose leave it sends: making it takes about a ms. */
export function unboundStripe(credentials: StripeCredentials): Unbound<Stripe> {
  const origin = new URL(credentials.origin);
  return unbound(
    origin.origin,
    (wire) =>
      new Stripe(credentials.apiKey, {
        apiVersion: Stripe.API_VERSION,
        host: origin.hostname,
        port: origin.port === '' ? (origin.protocol === 'https:' ? 443 : 80) : Number(origin.port),
        protocol: origin.protocol === 'https:' ? 'https' : 'http',
        timeout: SDK_TIMEOUT_MS,
        maxNetworkRetries: 0,
        telemetry: false,
        httpClient: Stripe.createFetchHttpClient(wire),
      }),
  );
}
