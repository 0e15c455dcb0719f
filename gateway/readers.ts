import type Cloudflare from 'cloudflare';
import type Stripe from 'stripe';
import type { Classified } from './operation.js';

/**
 * What the gateway reads at the providers before it plans, while it waits for a person, and when it verifies.
 * Reads only, by get or list, never by search. A thing that is not there is `undefined` or an empty list;
 * an error of the SDK is thrown as it is and classified by `classify`. Amounts in minor units, currencies in
 * upper case (ISO 4217). Written in activities/<provider>/readers.ts; the gateway hands over the client.
 */
export interface QuoteReaders {
  readonly stripe: StripeReaders;
  readonly cloudflare: CloudflareReaders;
}

export interface CustomerSeen {
  readonly customerId: string;
  readonly email: string | undefined;
  /** `metadata.countersign_effect`: the effect id that made it, whoever's it is. */
  readonly marker: string | undefined;
}

export interface PriceSeen {
  readonly priceId: string;
  readonly active: boolean;
  readonly amountMinor: number;
  readonly currency: string;
  /** `other` for anything that a plan cannot name (weekly, every three months, metered). */
  readonly interval: 'month' | 'year' | 'other';
}

export interface SubscriptionSeen {
  readonly subscriptionId: string;
  /** Running: `active`, `trialing` or `past_due`. Everything else is over or never began. */
  readonly running: boolean;
  readonly endsAtPeriodEnd: boolean;
  readonly price: PriceSeen;
  readonly marker: string | undefined;
}

export interface StripeReaders {
  /** By id; `undefined` when it does not exist or is deleted. */
  customer(client: Stripe, customerId: string): Promise<CustomerSeen | undefined>;
  /** All that bear exactly this address, newest first, deleted ones left out. */
  customersByEmail(client: Stripe, email: string): Promise<readonly CustomerSeen[]>;
  price(client: Stripe, priceId: string): Promise<PriceSeen | undefined>;
  /** Of one customer, in any state. */
  subscriptions(client: Stripe, customerId: string): Promise<readonly SubscriptionSeen[]>;
  /** Is there a default payment method that an invoice would be charged to? */
  hasPaymentMethod(client: Stripe, customerId: string): Promise<boolean>;
  classify(error: unknown): Classified;
}

export interface AccountSeen {
  readonly accountId: string;
  readonly name: string;
  /** Members that have accepted, by e-mail in lower case. */
  readonly acceptedMembers: readonly string[];
}

/** `registrable: false` carries the provider's own reason code, or `omitted` when the check left the name out. */
export type DomainSeen =
  | {
      readonly registrable: true;
      /** First year and each further one. */
      readonly registrationMinor: number;
      readonly renewalMinor: number;
      readonly currency: string;
    }
  | { readonly registrable: false; readonly reason: string };

export interface RegistrationSeen {
  readonly active: boolean;
  readonly autoRenew: boolean;
  /** By the registrar's clock; absent where it gives no instant. */
  readonly createdAt?: Date;
}

export interface LiveScript {
  /** The version that gets the traffic. */
  readonly versionId: string;
  /** From `workers/tag`: the effect id that deployed it and the digest of its bundle, when it is ours. */
  readonly marker: string | undefined;
  readonly bundle: string | undefined;
}

export interface CustomDomainSeen {
  readonly domainId: string;
  readonly service: string;
}

export interface RecordSeen {
  readonly recordId: string;
  readonly type: string;
  /** Fully qualified, lower case. */
  readonly name: string;
  readonly content: string;
  readonly comment: string | undefined;
}

export interface CloudflareReaders {
  /** The account that reads are made in before the principal has one of its own (domain checks need some account). */
  homeAccount(client: Cloudflare): Promise<string | undefined>;
  /** By id, with its accepted members; `undefined` while its owner has not let us in. */
  account(client: Cloudflare, accountId: string): Promise<AccountSeen | undefined>;
  /** Is there a way for the account to pay for a registration? */
  hasBilling(client: Cloudflare, accountId: string): Promise<boolean>;
  domain(client: Cloudflare, accountId: string, name: string): Promise<DomainSeen>;
  /** `undefined` when the account does not hold the name. */
  registration(
    client: Cloudflare,
    accountId: string,
    name: string,
  ): Promise<RegistrationSeen | undefined>;
  zoneId(client: Cloudflare, accountId: string, name: string): Promise<string | undefined>;
  records(client: Cloudflare, zoneId: string): Promise<readonly RecordSeen[]>;
  /** `undefined` when there is no such script, or none of its versions is deployed. */
  liveScript(
    client: Cloudflare,
    accountId: string,
    script: string,
  ): Promise<LiveScript | undefined>;
  customDomain(
    client: Cloudflare,
    accountId: string,
    hostname: string,
  ): Promise<CustomDomainSeen | undefined>;
  classify(error: unknown): Classified;
}
