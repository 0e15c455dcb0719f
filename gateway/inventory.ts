import type Cloudflare from 'cloudflare';
import type Stripe from 'stripe';
import type { AccountHeld, CloudflareWorld } from '../domain/reconcile/cloudflare.js';
import type { StripeWorld } from '../domain/reconcile/stripe.js';
import { Failure } from '../domain/errors.js';

/** How many requests a pass may still make at one provider. */
export interface Budget {
  /** Before each request. @throws PROVIDER_UNAVAILABLE when it is spent: what is being read stays unread this time */
  take(requests?: number): void;
  readonly used: number;
}

/** A budget of so many requests. */
export function budgetOf(requests: number): Budget {
  let used = 0;
  return {
    take: (count = 1) => {
      used += count;
      if (used > requests)
        throw new Failure(
          'PROVIDER_UNAVAILABLE',
          `the ${requests} requests that a pass may make are used up: the rest has its turn in the next`,
        );
    },
    get used() {
      return used;
    },
  };
}

/**
 * Everything that exists at a provider, by get and list, page by page; never by search, and nothing that changes
 * anything. Written in activities/<provider>/inventory.ts; the gateway hands over the client.
 */
export interface InventoryReaders {
  /** Objects made since that moment, in s; customers and subscriptions of any age. */
  stripe(client: Stripe, budget: Budget, sinceS: number): Promise<StripeWorld>;
  readonly cloudflare: {
    accounts(client: Cloudflare, budget: Budget): Promise<readonly AccountHeld[]>;
    account(client: Cloudflare, accountId: string, budget: Budget): Promise<CloudflareWorld>;
  };
}
