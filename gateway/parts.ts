import type { Instance } from '../domain/ids.js';
import type { ProviderName } from '../domain/steps.js';
import type { Trust } from '../domain/trust.js';
import type { Database } from '../store/connect.js';
import type { Calls } from './calls.js';
import type { Clocks } from './deadline.js';
import type { Door } from './door-contract.js';
import type { Egress } from './egress.js';
import type { StepEffects } from './operation.js';
import type { Credentials, Providers } from './providers.js';
import type { Keyring } from './keyring.js';
import type { QuoteReaders } from './readers.js';
import type { TokenParts } from './tokens.js';

/** How long a provider may take until what it did is visible, in ms, per provider or operation. */
export interface Settling {
  readonly stripe: number;
  readonly cloudflare: number;
  /** By operation name, where it differs: a registration settles slower than a DNS record. */
  readonly byOperation?: Readonly<Record<string, number>>;
}

/**
 * Settling times for the real services, with their sources. Stripe: lists see a write at once, search lags by up to
 * a minute; 60 s leaves room for a request in a queue. Workers and DNS: writes are visible through the API within
 * seconds; 30 s. Registrar: a registration without a pending state shows within 15 minutes.
 */
export const LIVE_SETTLING: Settling = {
  stripe: 60_000,
  cloudflare: 30_000,
  byOperation: { 'registrar.registrations.create': 15 * 60_000 },
};

/** How long one HTTP request may take, answer included, in ms. */
export interface HttpTimeouts {
  readonly stripe: number;
  readonly cloudflare: number;
}

export const HTTP_TIMEOUTS: HttpTimeouts = { stripe: 30_000, cloudflare: 30_000 };

/** What the gateway is made of. `providers: live` is a word of the configuration, never found in an environment. */
export interface GatewayOptions {
  readonly db: Database;
  readonly door: Door;
  readonly instance: Instance;
  readonly operations: readonly StepEffects[];
  readonly readers: QuoteReaders;
  readonly providers: 'sandbox' | 'live';
  readonly credentials: Credentials;
  readonly settling: Settling;
  readonly egress: Egress;
  readonly httpTimeouts?: HttpTimeouts;
  readonly clocks?: Clocks;
  /** How calls to providers are counted; absent: not at all. */
  readonly calls?: Calls;
  /** Absent: no passkey counts and no root is pinned. */
  readonly trust?: Trust;
  /** Seals minted tokens; a process without it mints none. */
  readonly keyring?: Keyring;
}

/** The same, with defaults filled in and clients behind one maker. */
export interface Parts {
  readonly db: Database;
  readonly door: Door;
  readonly instance: Instance;
  readonly effects: ReadonlyMap<string, StepEffects>;
  readonly readers: QuoteReaders;
  readonly providers: Providers;
  readonly settling: Settling;
  readonly egress: Egress;
  readonly httpTimeouts: HttpTimeouts;
  readonly clocks: Clocks;
  readonly calls: Calls;
  readonly trust: Trust;
  readonly tokens: TokenParts | undefined;
}

export const settlingOf = (settling: Settling, provider: ProviderName, operation: string): number =>
  settling.byOperation?.[operation] ?? settling[provider];
