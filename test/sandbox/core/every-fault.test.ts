import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { FaultRuleInput } from '../../../sandbox/control-client.js';
import type { ProviderName } from '../../../sandbox/core/credentials.js';
import { FAULT_KINDS, type FaultKind } from '../../../sandbox/core/faults.js';
import type { FullStand, Tenant } from '../cloudflare/stand.js';
import { startFullStand, until } from '../cloudflare/stand.js';
import { stripeClient } from '../stand.js';

/** A purchase at one provider, by its own package: the endpoint of the product at which money moves. */
interface Shop {
  readonly endpoint: Pick<FaultRuleInput, 'provider' | 'method' | 'path'>;
  /** What one purchase costs, in cents. */
  readonly costs: number;
  /** Answers what the package made of it: 'sold', 'failed', a status, or 'silence'. */
  buy(patienceMs?: number): Promise<string | number>;
  /** How many purchases a list shows. */
  listed(): Promise<number>;
}

interface Case {
  readonly options?: Partial<FaultRuleInput>;
  /** What the package says of the request that suffers. */
  readonly says: string | number;
  /** What was charged when it has said so, in purchases. */
  readonly acted: 0 | 1;
  /** What it says of the same request sent again, and what is charged then. */
  readonly again: string | number;
  readonly charged: 0 | 1;
}

const notDone = (says: string | number): Case => ({ says, acted: 0, again: 'sold', charged: 1 });
const done = (says: string | number): Case => ({ says, acted: 1, again: 'sold', charged: 1 });
const both = (one: Case): Record<ProviderName, Case> => ({ stripe: one, cloudflare: one });
const PATIENCE_MS = 1_500;

/** By kind of fault: a kind without a row does not compile. */
const CASES: Readonly<Record<FaultKind, Record<ProviderName, Case>>> = {
  refuse: both(notDone(400)),
  'act-then-drop': both(done('silence')),
  'act-then-500': both(done(500)),
  'stored-500': {
    stripe: { says: 500, acted: 0, again: 500, charged: 0 },
    cloudflare: notDone(500),
  },
  hang: both(notDone('silence')),
  '409': both(notDone(409)),
  '429': both(notDone(429)),
  slow: both({ ...done('sold'), options: { ms: 150 } }),
  decline: {
    stripe: { says: 402, acted: 0, again: 402, charged: 0 },
    cloudflare: notDone('failed'),
  },
  'price-drift': both({ ...done('sold'), options: { byMinor: 1 } }),
  lag: both({ ...done('sold'), options: { ms: 60_000 } }),
  echo: both(notDone(400)),
};

let stand: FullStand;
beforeAll(async () => {
  stand = await startFullStand();
});
afterAll(() => stand.close());

/** What a failed call of either package tells. */
function told(error: unknown): string | number {
  const { statusCode, status } = error as { statusCode?: number; status?: number };
  return statusCode ?? status ?? 'silence';
}

async function stripeShop({ name, credentials }: Tenant): Promise<Shop> {
  const key = credentials.stripe.actions;
  await stand.control.people(name, { do: 'standing-payment-method', card: 'visa' });
  const { id } = await stripeClient(stand.running.apiUrl, key).customers.create({ name: 'A' });
  return {
    endpoint: { provider: 'stripe', method: 'POST', path: '/v1/subscriptions' },
    costs: 1900,
    buy: (patienceMs) =>
      stripeClient(stand.running.apiUrl, key, patienceMs)
        .subscriptions.create(
          {
            customer: id,
            items: [{ price: 'price_starter_monthly' }],
            payment_behavior: 'error_if_incomplete',
          },
          { idempotencyKey: 'once' },
        )
        .then(() => 'sold', told),
    listed: async () =>
      (await stripeClient(stand.running.apiUrl, key).subscriptions.list({ customer: id })).data
        .length,
  };
}

function cloudflareShop({ cf, account }: Tenant): Shop {
  return {
    endpoint: {
      provider: 'cloudflare',
      method: 'POST',
      path: '/client/v4/accounts/*/registrar/registrations',
    },
    costs: 1120,
    buy: (timeout = 20_000) =>
      cf.registrar.registrations
        .create({ account_id: account, domain_name: 'fault.club' }, { timeout })
        .then(({ state }) => (state === 'succeeded' ? 'sold' : state), told),
    listed: async () =>
      (await cf.registrar.registrations.list({ account_id: account })).result.length,
  };
}

const charges = async ({ name }: Tenant) =>
  (await stand.control.truth(name)).charges.map(({ amountMinor }) => amountMinor);
const opened = async (provider: ProviderName) => {
  const tenant = await stand.world();
  const shop = provider === 'stripe' ? await stripeShop(tenant) : cloudflareShop(tenant);
  const arm = (fault: FaultKind, options: Partial<FaultRuleInput> = {}) =>
    stand.control.faults(tenant.name, [{ ...shop.endpoint, fault, ...options }]);
  return { tenant, shop, arm };
};

/** Asks again while the key of the request before is still held. */
const again = (shop: Shop) =>
  until(
    () => shop.buy(),
    (said) => said !== 409,
  );

describe.each(['stripe', 'cloudflare'] as const)('at %s', (provider) => {
  test.each(FAULT_KINDS)('%s strikes a purchase as it says, once', async (fault) => {
    const { tenant, shop, arm } = await opened(provider);
    const wanted = CASES[fault][provider];
    const { byMinor = 0, ms = 0 } = wanted.options ?? {};
    const price = shop.costs + byMinor;
    await arm(fault, wanted.options);
    const begun = performance.now();
    expect(await shop.buy(fault === 'hang' ? PATIENCE_MS : undefined)).toBe(wanted.says);
    const tookMs = performance.now() - begun;
    await until(
      () => charges(tenant),
      (found) => found.length === wanted.acted,
    );
    if (fault === 'slow') expect(tookMs).toBeGreaterThanOrEqual(ms - 5);
    if (fault === 'lag') {
      expect(await shop.listed()).toBe(0);
      await stand.control.clock(tenant.name, ms);
      expect(await shop.listed()).toBe(1);
    }
    expect(await again(shop)).toBe(wanted.again);
    expect(await charges(tenant)).toEqual(Array.from({ length: wanted.charged }, () => price));
    expect(await shop.listed()).toBe(wanted.charged);
    const { requests, unknownRoutes } = await stand.control.truth(tenant.name);
    const struck = requests.filter((request) => request.fault !== undefined);
    expect(struck).toMatchObject([{ provider, fault, method: 'POST' }]);
    expect(unknownRoutes).toEqual([]);
  });

  test('hang, acting first: the purchase is made and nobody hears of it', async () => {
    const { tenant, shop, arm } = await opened(provider);
    await arm('hang', { act: true });
    expect(await shop.buy(PATIENCE_MS)).toBe('silence');
    await until(
      () => charges(tenant),
      (found) => found.length === 1,
    );
    expect(await again(shop)).toBe('sold');
    expect(await charges(tenant)).toEqual([shop.costs]);
  });

  test('a fault of one world leaves the other worlds alone', async () => {
    const [one, two] = [await opened(provider), await opened(provider)];
    await one.arm('refuse', { times: 10 });
    expect(await two.shop.buy()).toBe('sold');
    expect(await one.shop.buy()).toBe(400);
  });
});

test('too many requests say how long to wait', async () => {
  const { tenant, arm } = await opened('cloudflare');
  await arm('429', { ms: 7_000 });
  const error: unknown = await tenant.cf.registrar.registrations
    .create({ account_id: tenant.account, domain_name: 'wait.club' })
    .catch((thrown: unknown) => thrown);
  expect((error as { headers: Headers }).headers.get('retry-after')).toBe('7');
});
