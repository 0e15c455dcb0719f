import type Cloudflare from 'cloudflare';
import { Failure } from '../domain/errors.js';
import type { ProviderName } from '../domain/steps.js';
import { UNCOUNTED } from './calls.js';
import type { Calls } from './calls.js';
import { CLOUDFLARE_ORIGIN, unboundCloudflare } from './cloudflare/client.js';
import type { CloudflareCredentials } from './cloudflare/client.js';
import { deadlineIn } from './deadline.js';
import type { Clocks, Deadline } from './deadline.js';
import type { Leave } from './leave.js';
import type { Clients } from './operation.js';
import type { SendOnce, Transmission, Unbound } from './send-once.js';
import { STRIPE_ORIGIN, unboundStripe } from './stripe/client.js';
import type { StripeCredentials } from './stripe/client.js';
import type { TokenClass } from './token-door.js';

/**
 * What a credential may be used for. Reversals have credentials of their own, which a stop does not revoke. At
 * Cloudflare those of actions and compensations are parents: they mint and revoke tokens and are sent for nothing else.
 */
export type Role = 'actions' | 'compensations' | 'reads';

export interface ProviderCredentials {
  readonly stripe: StripeCredentials;
  readonly cloudflare: CloudflareCredentials;
}

/** A process holds only the roles it needs; asking it for another one is an operator's error. */
export type Credentials = Readonly<Partial<Record<Role, ProviderCredentials>>> & {
  /** Makes Cloudflare accounts, which no token of an account can. */
  readonly accounts?: CloudflareCredentials;
};

/** A whole read, answer included, in ms. */
export const READ_TIMEOUT_MS = 10_000;

interface Attempt {
  readonly deadline: Deadline;
  readonly transmission: Transmission;
  /** Absent for reads and reversals, which no stop holds back. */
  readonly leave?: Leave | undefined;
}

export interface Providers {
  /** Makes the clients of the next effect at this provider, while there is something else to wait for. */
  prepare(provider: ProviderName): void;
  /** Clients that send: one attempt's own, under its deadline. */
  forSending(
    role: 'actions' | 'compensations',
    attempt: Attempt & { readonly token?: string | undefined },
  ): Clients;
  /** Clients that read, under a deadline of 10 s, ended by the signal. */
  forReading(role: Role, signal?: AbortSignal, leave?: Leave): Clients;
  /** The parent of a class of tokens, in the hand of the mint alone; without an attempt each request has 10 s. */
  forMinting(of: TokenClass, attempt?: Attempt): Cloudflare;
  /** Does this process hold the parent of that class? */
  mints(of: TokenClass): boolean;
  /** A client that asks, as a minted token, whether it works yet. */
  asToken(value: string): Cloudflare;
}

/** Sandbox credentials end in a MAC of 32 hex digits; no vendor's do. */
const SANDBOX_STRIPE = /^sk_test_[a-z0-9-]+_[a-z0-9-]+_[0-9a-f]{32}$/;
const SANDBOX_CLOUDFLARE = /^cf_[a-z0-9-]+_[a-z0-9-]+_[0-9a-f]{32}$/;

/**
 * Real hosts only where the configuration says live, the sandbox only with credentials it minted itself.
 * @throws PROVIDER_AUTH naming the role and provider, never the credential
 */
export function checkCredentials(credentials: Credentials, providers: 'sandbox' | 'live'): void {
  const { accounts, ...roles } = credentials;
  for (const [role, { stripe, cloudflare }] of Object.entries(roles)) {
    checkStripeCredential(role, stripe, providers);
    checkCloudflareCredential(role, cloudflare, providers);
  }
  if (accounts !== undefined) checkCloudflareCredential('accounts', accounts, providers);
}

/** @throws PROVIDER_AUTH */
export function checkStripeCredential(
  role: string,
  { origin, apiKey }: StripeCredentials,
  providers: 'sandbox' | 'live',
): void {
  if (providers === 'live' && origin !== STRIPE_ORIGIN)
    throw wrong(role, 'stripe', `must be used with ${STRIPE_ORIGIN} when providers are live`);
  if (providers === 'sandbox' && (origin === STRIPE_ORIGIN || !SANDBOX_STRIPE.test(apiKey)))
    throw wrong(role, 'stripe', NOT_MINTED);
}

/** @throws PROVIDER_AUTH */
export function checkCloudflareCredential(
  role: string,
  { origin, apiToken }: CloudflareCredentials,
  providers: 'sandbox' | 'live',
): void {
  if (providers === 'live' && origin !== CLOUDFLARE_ORIGIN)
    throw wrong(
      role,
      'cloudflare',
      `must be used with ${CLOUDFLARE_ORIGIN} when providers are live`,
    );
  if (
    providers === 'sandbox' &&
    (origin === CLOUDFLARE_ORIGIN || !SANDBOX_CLOUDFLARE.test(apiToken))
  )
    throw wrong(role, 'cloudflare', NOT_MINTED);
}

const wrong = (role: string, provider: string, what: string): Failure =>
  new Failure('PROVIDER_AUTH', `the ${role} credential for ${provider} ${what}`);

const NOT_MINTED = 'was not minted by the sandbox: set providers: live to use it';

/** Makes provider clients; they are made nowhere else. */
export function createProviders(
  credentials: Credentials,
  clocks: Clocks,
  calls: Calls = UNCOUNTED,
): Providers {
  const of = (role: Role): ProviderCredentials => {
    const held = credentials[role];
    if (held === undefined)
      throw new Failure('PROVIDER_AUTH', `this process holds no credentials for ${role}`);
    return held;
  };
  const stripes = stocked(unboundStripe, ({ origin, apiKey }) => `${origin} ${apiKey}`);
  const cloudflares = stocked(unboundCloudflare, ({ origin, apiToken }) => `${origin} ${apiToken}`);
  const stripeBy = (by: StripeCredentials, send: Omit<SendOnce, 'origin'>) =>
    stripes.take(by).bind({ ...send, ...counted('stripe', calls) });
  const cloudflareBy = (by: CloudflareCredentials, send: Omit<SendOnce, 'origin'>) =>
    cloudflares.take(by).bind({ ...send, ...counted('cloudflare', calls) });
  const parent = (role: TokenClass): CloudflareCredentials => of(role).cloudflare;
  const origin = (): string =>
    (credentials.actions ?? credentials.compensations ?? of('reads')).cloudflare.origin;
  const accounts = (): CloudflareCredentials => {
    const { accounts: held } = credentials;
    if (held === undefined)
      throw new Failure('PROVIDER_AUTH', 'this process holds no credential to make accounts with');
    return held;
  };
  // Each read has its own 10 s, counted from its start, however long the reader as a whole takes.
  const asking = (): Attempt => ({
    deadline: rolling(READ_TIMEOUT_MS, clocks),
    transmission: { begun: 0 },
  });
  return {
    prepare: (provider) => {
      try {
        const { actions, reads } = credentials;
        // One looks, one sends. Cloudflare's sends by a token of its own, which is not known yet.
        if (provider === 'stripe' && actions !== undefined) stripes.stock(actions.stripe, 2);
        if (provider === 'cloudflare' && reads !== undefined)
          cloudflares.stock(reads.cloudflare, 1);
      } catch {
        // guard: nobody waits for this; a credential that cannot be read is told to whoever asks for a client.
      }
    },
    forSending: (role, { token, ...send }) => {
      return clientsOf(
        () => stripeBy(of(role).stripe, send),
        () =>
          cloudflareBy(
            token === undefined ? accounts() : { apiToken: token, origin: origin() },
            send,
          ),
      );
    },
    forReading: (role, signal, leave) => {
      const send = { ...asking(), leave, ...(signal === undefined ? {} : { signal }) };
      return clientsOf(
        () => stripeBy(of(role).stripe, send),
        () => cloudflareBy(of('reads').cloudflare, send),
      );
    },
    forMinting: (role, attempt = asking()) => cloudflareBy(parent(role), attempt),
    mints: (role) => credentials[role] !== undefined,
    asToken: (value) => cloudflareBy({ apiToken: value, origin: origin() }, asking()),
  };
}

/** Clients made ahead, each for one attempt; those of a credential that was replaced are never taken. */
function stocked<By, Client>(
  make: (by: By) => Unbound<Client>,
  nameOf: (by: By) => string,
): { stock(by: By, count: number): void; take(by: By): Unbound<Client> } {
  let name = '';
  const made: Unbound<Client>[] = [];
  return {
    stock: (by, count) => {
      if (name !== nameOf(by)) made.length = 0;
      name = nameOf(by);
      while (made.length < count) made.push(make(by));
    },
    take: (by) => (name === nameOf(by) ? made.pop() : undefined) ?? make(by),
  };
}

/** Made when asked for: an effect speaks with one of them, and making cloudflare's takes some ms. */
const clientsOf = (stripe: () => Clients['stripe'], cloudflare: () => Cloudflare): Clients => ({
  get stripe() {
    return stripe();
  },
  get cloudflare() {
    return cloudflare();
  },
});

/** Every request takes its turn, and what it met is told. What never tried to leave tells nothing of the provider. */
const counted = (provider: ProviderName, calls: Calls): Pick<SendOnce, 'turn' | 'onEnd'> => ({
  turn: () => calls.take(provider),
  onEnd: (met) => {
    if (typeof met === 'number')
      calls.met(provider, met === 429 ? 'limited' : met >= 500 ? 'none' : 'answer');
    else if (!OURS.has(met.reason)) calls.met(provider, 'none');
  },
});

/** Ends that we brought about ourselves. */
const OURS: ReadonlySet<string> = new Set(['EABORTED', 'EDEADLINE', 'EDOOR', 'EORIGIN', 'ETWICE']);

/** A deadline that starts anew at each request: readers page through lists, and each page is a request. */
function rolling(ms: number, clocks: Clocks): Deadline {
  return { leftMs: () => deadlineIn(ms, clocks).leftMs() };
}
