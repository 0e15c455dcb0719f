import { Failure } from '../domain/errors.js';
import type { ProviderName } from '../domain/steps.js';
import { CLOUDFLARE_ORIGIN, cloudflareClient } from './cloudflare/client.js';
import type { CloudflareCredentials } from './cloudflare/client.js';
import { deadlineIn } from './deadline.js';
import type { Clocks, Deadline } from './deadline.js';
import type { Classified, Clients } from './operation.js';
import type { SendOnce, Transmission } from './send-once.js';
import { STRIPE_ORIGIN, stripeClient } from './stripe/client.js';
import type { StripeCredentials } from './stripe/client.js';

/** What a credential may be used for. Reversals have credentials of their own, which a stop does not revoke. */
export type Role = 'actions' | 'compensations' | 'reads';

export interface ProviderCredentials {
  readonly stripe: StripeCredentials;
  readonly cloudflare: CloudflareCredentials;
}

/** A process holds only the roles it needs; asking it for another one is an operator's error. */
export type Credentials = Readonly<Partial<Record<Role, ProviderCredentials>>>;

/** A whole read, answer included, in ms. */
export const READ_TIMEOUT_MS = 10_000;

export interface Providers {
  /** Clients that send: one attempt's own, under its deadline. */
  forSending(
    role: 'actions' | 'compensations',
    attempt: { readonly deadline: Deadline; readonly transmission: Transmission },
  ): Clients;
  /** Clients that read, under a deadline of 10 s, ended by the signal. */
  forReading(role: Role, signal?: AbortSignal): Clients;
}

/** Sandbox credentials end in a MAC of 32 hex digits; no vendor's do. */
const SANDBOX_STRIPE = /^sk_test_[a-z0-9-]+_[a-z0-9-]+_[0-9a-f]{32}$/;
const SANDBOX_CLOUDFLARE = /^cf_[a-z0-9-]+_[a-z0-9-]+_[0-9a-f]{32}$/;

/**
 * Real hosts only where the configuration says live, the sandbox only with credentials it minted itself.
 * @throws PROVIDER_AUTH naming the role and provider, never the credential
 */
export function checkCredentials(credentials: Credentials, providers: 'sandbox' | 'live'): void {
  for (const [role, { stripe, cloudflare }] of Object.entries(credentials)) {
    const wrong = (provider: string, what: string): Failure =>
      new Failure('PROVIDER_AUTH', `the ${role} credential for ${provider} ${what}`);
    if (providers === 'live') {
      if (stripe.origin !== STRIPE_ORIGIN)
        throw wrong('stripe', `must be used with ${STRIPE_ORIGIN} when providers are live`);
      if (cloudflare.origin !== CLOUDFLARE_ORIGIN)
        throw wrong('cloudflare', `must be used with ${CLOUDFLARE_ORIGIN} when providers are live`);
    } else {
      if (stripe.origin === STRIPE_ORIGIN || !SANDBOX_STRIPE.test(stripe.apiKey))
        throw wrong('stripe', 'was not minted by the sandbox: set providers: live to use it');
      if (cloudflare.origin === CLOUDFLARE_ORIGIN || !SANDBOX_CLOUDFLARE.test(cloudflare.apiToken))
        throw wrong('cloudflare', 'was not minted by the sandbox: set providers: live to use it');
    }
  }
}

/** Makes provider clients; they are made nowhere else. */
export function createProviders(credentials: Credentials, clocks: Clocks): Providers {
  const of = (role: Role): ProviderCredentials => {
    const held = credentials[role];
    if (held === undefined)
      throw new Failure('PROVIDER_AUTH', `this process holds no credentials for ${role}`);
    return held;
  };
  // Made when asked for: an effect speaks with one of them, and making cloudflare's takes some ms.
  const clients = (role: Role, send: Omit<SendOnce, 'origin'>): Clients => {
    const held = of(role);
    return {
      get stripe() {
        return stripeClient(held.stripe, send);
      },
      get cloudflare() {
        return cloudflareClient(held.cloudflare, send);
      },
    };
  };
  return {
    forSending: (role, { deadline, transmission }) => clients(role, { deadline, transmission }),
    forReading: (role, signal) =>
      clients(role, {
        // Each read has its own 10 s, counted from its start, however long the reader as a whole takes.
        deadline: rolling(READ_TIMEOUT_MS, clocks),
        transmission: { begun: 0 },
        ...(signal === undefined ? {} : { signal }),
      }),
  };
}

/** A deadline that starts anew at each request: readers page through lists, and each page is a request. */
function rolling(ms: number, clocks: Clocks): Deadline {
  return { leftMs: () => deadlineIn(ms, clocks).leftMs() };
}

/**
 * Reads, and turns what the SDK throws into a failure of ours. A read that got no answer changed nothing, so it may
 * be tried again. @throws PROVIDER_AUTH, PROVIDER_REFUSED, PROVIDER_UNAVAILABLE
 */
export async function reading<T>(
  provider: ProviderName,
  what: string,
  classify: (error: unknown) => Classified,
  read: () => Promise<T>,
): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Failure) throw error;
    const classified = classify(error);
    const final = classified.code === 'PROVIDER_AUTH' || classified.code === 'PROVIDER_REFUSED';
    throw new Failure(
      final ? classified.code : 'PROVIDER_UNAVAILABLE',
      `${provider}: could not read ${what}: ${classified.message}`,
      detailsOf(classified),
    );
  }
}

/** Code, status and request id: all that leaves of a provider's error. */
export function detailsOf(classified: Classified): Record<string, string | number> {
  return {
    ...(classified.status === undefined ? {} : { status: classified.status }),
    ...(classified.providerCode === undefined ? {} : { providerCode: classified.providerCode }),
    ...(classified.requestId === undefined ? {} : { requestId: classified.requestId }),
  };
}
