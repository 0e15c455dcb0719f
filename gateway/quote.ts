import { Failure } from '../domain/errors.js';
import type { Quote } from '../domain/plan.js';
import type { Clients } from './operation.js';
import { reading } from './reading.js';
import type { LiveScript, QuoteReaders, SubscriptionSeen } from './readers.js';

/** What is asked for, and what our own record says the principal already holds. Amounts in minor units. */
export interface QuoteAsk {
  readonly quotedAt: string;
  /** Of the principal, in lower case. */
  readonly email: string;
  readonly domain: string;
  readonly bundle: string;
  readonly scriptName: string;
  readonly dns: readonly {
    readonly type: string;
    readonly name: string;
    readonly content: string;
  }[];
  /** The policy's price for the plan asked for; absent when no subscription is asked for or the plan is unknown. */
  readonly price?: { readonly priceId: string };
  /** An existing Cloudflare account that the request names. */
  readonly account?: string;
  readonly known: {
    readonly customerId?: string;
    readonly accountId?: string;
    readonly renewalMinor?: number;
    readonly currency: string;
  };
  /** Does this marker name an effect of this instance, made for this very principal? */
  readonly ours: (marker: string) => boolean;
}

/** Asks the providers what is there and what it costs. Reads only. @throws PROVIDER_AUTH, PROVIDER_UNAVAILABLE, NEEDS_INPUT */
export async function quote(
  ask: QuoteAsk,
  readers: QuoteReaders,
  clients: Clients,
): Promise<Quote> {
  const stripe = stripeQuotes(ask, readers, clients);
  const cloudflare = cloudflareQuotes(ask, readers, clients);
  const site = siteQuotes(ask, readers, clients);
  const customer = await stripe.customer();
  const subscription = await stripe.subscription(customer);
  const account = await cloudflare.account();
  const accountId = account.kind === 'link' ? account.accountId : undefined;
  const domain = await cloudflare.domain(accountId);
  return {
    quotedAt: ask.quotedAt,
    customer,
    account,
    subscription,
    domain,
    site: await site.site(accountId),
    customDomain: await site.customDomain(accountId),
    dns: await cloudflare.dns(domain.kind === 'running' ? domain.zoneId : undefined),
  };
}

function stripeQuotes(ask: QuoteAsk, { stripe: readers }: QuoteReaders, { stripe }: Clients) {
  const read = <T>(what: string, get: () => Promise<T>): Promise<T> =>
    reading('stripe', what, (error) => readers.classify(error), get);
  return {
    /** On record or bearing our marker: adopted. Known by e-mail alone: adopted only by a person's word. */
    customer: async (): Promise<Quote['customer']> => {
      if (ask.price === undefined) return { kind: 'create' };
      const { customerId } = ask.known;
      if (customerId !== undefined) {
        const seen = await read('the customer', () => readers.customer(stripe, customerId));
        if (seen !== undefined) return { kind: 'adopt', customerId, by: 'marker' };
      }
      const found = await read('customers', () => readers.customersByEmail(stripe, ask.email));
      const marked = found.find(({ marker }) => marker !== undefined && ask.ours(marker));
      if (marked !== undefined)
        return { kind: 'adopt', customerId: marked.customerId, by: 'marker' };
      const [newest] = found;
      return newest === undefined
        ? { kind: 'create' }
        : { kind: 'adopt', customerId: newest.customerId, by: 'person' };
    },
    subscription: async (customer: Quote['customer']): Promise<Quote['subscription']> => {
      const { price } = ask;
      if (price === undefined) return { kind: 'none' };
      const running =
        customer.kind === 'adopt'
          ? (
              await read('subscriptions', () => readers.subscriptions(stripe, customer.customerId))
            ).find((seen) => runs(seen, price.priceId))
          : undefined;
      if (running !== undefined)
        return {
          kind: 'running',
          subscriptionId: running.subscriptionId,
          ...amountOf(running.price),
        };
      const seen = await read('the price', () => readers.price(stripe, price.priceId));
      if (seen?.active !== true)
        throw new Failure(
          'PROVIDER_REFUSED',
          `stripe has no active price ${price.priceId}: the policy names it for this plan`,
        );
      return { kind: 'create', priceId: price.priceId, ...amountOf(seen) };
    },
  };
}

const runs = (seen: SubscriptionSeen, priceId: string): boolean =>
  seen.running && !seen.endsAtPeriodEnd && seen.price.priceId === priceId;

function amountOf({ amountMinor, currency, interval, priceId }: SubscriptionSeen['price']) {
  if (interval === 'other')
    throw new Failure(
      'PROVIDER_REFUSED',
      `the price ${priceId} is charged neither monthly nor yearly: no plan can name it`,
    );
  return { amountMinor, currency, interval };
}

function cloudflareQuotes(
  ask: QuoteAsk,
  { cloudflare: readers }: QuoteReaders,
  { cloudflare }: Clients,
) {
  const read = <T>(what: string, get: () => Promise<T>): Promise<T> =>
    reading('cloudflare', what, (error) => readers.classify(error), get);
  const zone = (accountId: string): Promise<string | undefined> =>
    read('the zone', () => readers.zoneId(cloudflare, accountId, ask.domain));
  const running = (zoneId: string | undefined): Quote['domain'] => {
    if (zoneId === undefined)
      throw new Failure(
        'PROVIDER_UNAVAILABLE',
        `${ask.domain} is registered, but cloudflare shows no zone for it yet`,
      );
    const { renewalMinor, currency } = ask.known;
    return { kind: 'running', zoneId, renewalMinor: renewalMinor ?? 0, currency };
  };
  return {
    /** The account the request names, else the one on record, else a new one. */
    account: async (): Promise<Quote['account']> => {
      const accountId = ask.account ?? ask.known.accountId;
      if (accountId === undefined) return { kind: 'create' };
      const recorded = accountId === ask.known.accountId;
      const seen = await read('the account', () => readers.account(cloudflare, accountId));
      const consented =
        seen !== undefined && (recorded || seen.acceptedMembers.includes(ask.email));
      return consented
        ? { kind: 'link', accountId, name: seen.name, recorded }
        : { kind: 'needs-consent', accountId };
    },
    domain: async (accountId: string | undefined): Promise<Quote['domain']> => {
      if (accountId !== undefined) {
        const held = await read('the registration', () =>
          readers.registration(cloudflare, accountId, ask.domain),
        );
        if (held?.active === true) return running(await zone(accountId));
      }
      const asking = accountId ?? (await read('accounts', () => readers.homeAccount(cloudflare)));
      if (asking === undefined)
        throw new Failure(
          'PROVIDER_AUTH',
          'cloudflare shows this credential no account to check domains in',
        );
      const seen = await read('the domain', () => readers.domain(cloudflare, asking, ask.domain));
      if (!seen.registrable) return { kind: 'unavailable', reason: seen.reason };
      const { registrationMinor, renewalMinor, currency } = seen;
      return { kind: 'register', registrationMinor, renewalMinor, currency };
    },
    dns: async (zoneId: string | undefined): Promise<Quote['dns']> => {
      if (ask.dns.length === 0) return { kind: 'none' };
      if (zoneId === undefined) return { kind: 'create' };
      const present = await read('records', () => readers.records(cloudflare, zoneId));
      const there = ask.dns.flatMap((wanted, at) =>
        present.some(
          (seen) =>
            seen.type === wanted.type &&
            seen.name === qualified(wanted.name, ask.domain) &&
            seen.content === wanted.content,
        )
          ? [at]
          : [],
      );
      if (there.length === ask.dns.length) return { kind: 'present' };
      return there.length === 0 ? { kind: 'create' } : { kind: 'create', there };
    },
  };
}

function siteQuotes(ask: QuoteAsk, { cloudflare: readers }: QuoteReaders, { cloudflare }: Clients) {
  const read = <T>(what: string, get: () => Promise<T>): Promise<T> =>
    reading('cloudflare', what, (error) => readers.classify(error), get);
  return {
    site: async (accountId: string | undefined): Promise<Quote['site']> => {
      if (accountId === undefined) return { kind: 'first' };
      const { scriptName } = ask;
      const live = await read('the site', () =>
        readers.liveScript(cloudflare, accountId, scriptName),
      );
      if (live === undefined) return { kind: 'first' };
      refuseForeign(live, ask);
      return live.bundle === ask.bundle
        ? { kind: 'same', scriptName }
        : { kind: 'update', scriptName, versionId: live.versionId, liveBundle: live.bundle };
    },
    customDomain: async (accountId: string | undefined): Promise<Quote['customDomain']> => {
      if (accountId === undefined) return { kind: 'attach' };
      const seen = await read('the custom domain', () =>
        readers.customDomain(cloudflare, accountId, ask.domain),
      );
      if (seen !== undefined && seen.service !== ask.scriptName)
        throw new Failure(
          'NEEDS_INPUT',
          `${ask.domain} is attached to the Worker ${seen.service}: detach it, or name another domain`,
        );
      return { kind: seen === undefined ? 'attach' : 'attached' };
    },
  };
}

/** A script of the same name that we did not deploy for this principal is not ours to replace. */
function refuseForeign(live: LiveScript, ask: QuoteAsk): void {
  if (live.marker !== undefined && ask.ours(live.marker)) return;
  throw new Failure(
    'NEEDS_INPUT',
    `the account holds a Worker ${ask.scriptName} that was not deployed from here: remove or rename it`,
  );
}

/** A record's name as Cloudflare answers it: below the zone, or the zone itself for `@`. */
export function qualified(name: string, zone: string): string {
  const lower = name.toLowerCase();
  if (lower === '@' || lower === zone) return zone;
  return lower.endsWith(`.${zone}`) ? lower : `${lower}.${zone}`;
}
