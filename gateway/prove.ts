import { Failure } from '../domain/errors.js';
import { cloudflareClient } from './cloudflare/client.js';
import type { CloudflareCredentials } from './cloudflare/client.js';
import { deadlineIn, PROCESS_CLOCKS } from './deadline.js';
import { checkCloudflareCredential, checkStripeCredential, READ_TIMEOUT_MS } from './providers.js';
import { stripeClient } from './stripe/client.js';
import type { StripeCredentials } from './stripe/client.js';

const attempt = () => ({
  deadline: deadlineIn(READ_TIMEOUT_MS, PROCESS_CLOCKS),
  transmission: { begun: 0 },
});

/** Reads something with a newer key of Stripe's. @throws Failure PROVIDER_AUTH in our words */
export async function proveStripe(
  role: string,
  credentials: StripeCredentials,
  providers: 'sandbox' | 'live',
): Promise<void> {
  checkStripeCredential(role, credentials, providers);
  try {
    await stripeClient(credentials, attempt()).customers.list({ limit: 1 });
  } catch (error) {
    throw unproven('stripe', error, 'statusCode');
  }
}

/** Reads something with a newer token of Cloudflare's. @throws Failure PROVIDER_AUTH in our words */
export async function proveCloudflare(
  role: string,
  credentials: CloudflareCredentials,
  providers: 'sandbox' | 'live',
): Promise<void> {
  checkCloudflareCredential(role, credentials, providers);
  try {
    await cloudflareClient(credentials, attempt()).accounts.list({ per_page: 5 });
  } catch (error) {
    // An account's own token may not list accounts, and is told so as one that is known.
    if (codeOf(error) === 1001) return;
    throw unproven('cloudflare', error, 'status');
  }
}

const memberOf = (error: unknown, name: string): unknown =>
  typeof error === 'object' && error !== null
    ? (error as Readonly<Record<string, unknown>>)[name]
    : undefined;

function codeOf(error: unknown): unknown {
  const errors = memberOf(error, 'errors');
  return Array.isArray(errors) ? memberOf(errors[0], 'code') : undefined;
}

function unproven(provider: string, error: unknown, member: string): Failure {
  const status = memberOf(error, member);
  const said = typeof status === 'number' ? `answered ${status}` : 'gave no answer';
  return new Failure('PROVIDER_AUTH', `${provider} ${said} to a read with it`);
}
