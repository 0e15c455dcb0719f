import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { cloudflareClient, domainWithZone, key, startFullStand } from '../cloudflare/stand.js';
import type { FullStand, Tenant } from '../cloudflare/stand.js';
import { stripeClient } from '../stand.js';

let stand: FullStand;
beforeAll(async () => {
  stand = await startFullStand();
});
afterAll(() => stand.close());

const DAY_MS = 86_400_000;

/** A token of an account, as a client that speaks as it. */
async function tokenOf({ cf, account }: Tenant): Promise<Tenant['cf']> {
  const { result } = await cf.accounts.tokens.permissionGroups.list({
    account_id: account,
    name: 'Account Settings Read',
  });
  const { value } = await cf.accounts.tokens.create({
    account_id: account,
    name: 'own',
    policies: [
      {
        effect: 'allow',
        permission_groups: [{ id: result[0]!.id! }],
        resources: { [`com.cloudflare.api.account.${account}`]: '*' },
      },
    ],
  });
  return cloudflareClient(stand.running.apiUrl, value!);
}

test('what is in one world does not exist in another: accounts, zones, tokens, names', async () => {
  const [one, two] = [await stand.world(), await stand.world()];
  const zone = await domainWithZone(one, 'same.club');
  const stranger = (status: number) => ({ status });
  await expect(two.cf.accounts.get({ account_id: one.account })).rejects.toMatchObject(
    stranger(403),
  );
  await expect(two.cf.zones.get({ zone_id: zone })).rejects.toMatchObject(stranger(403));
  const own = await tokenOf(one);
  await expect(own.accounts.get({ account_id: two.account })).rejects.toMatchObject(stranger(403));
  // The one registry of a world is not that of another: both may hold the name, each pays for its own.
  await domainWithZone(two, 'same.club');
  for (const { name } of [one, two]) {
    const { charges } = await stand.control.truth(name);
    expect(charges).toMatchObject([{ object: 'same.club', amountMinor: 1120 }]);
  }
});

test('time, faults, choices and prices of one world are its own', async () => {
  const [one, two] = [await stand.world(), await stand.world()];
  await stand.control.clock(one.name, DAY_MS);
  await one.person({ do: 'set-choice', name: 'accounts.standalone', value: 'forbidden' });
  await one.person({ do: 'set-domain-price', tld: 'club', registrationMinor: 9900 });
  await stand.control.people(one.name, {
    do: 'set-price',
    price: 'price_starter_monthly',
    amountMinor: 9900,
    currency: 'usd',
  });
  await stand.control.faults(one.name, [
    { provider: 'stripe', method: '*', path: '/**', times: 100, fault: 'refuse' },
  ]);
  const [first, second] = [
    await stand.control.truth(one.name),
    await stand.control.truth(two.name),
  ];
  expect(first.now - second.now).toBeGreaterThan(DAY_MS - 60_000);
  await two.cf.accounts.create({ name: 'More', standalone: true, ...key('more') });
  const { domains } = await two.cf.registrar.check({
    account_id: two.account,
    domains: ['price.club'],
  });
  expect(domains[0]!.pricing?.registration_cost).toBe('11.20');
  const stripe = stripeClient(stand.running.apiUrl, two.credentials.stripe.reads);
  expect((await stripe.prices.retrieve('price_starter_monthly')).unit_amount).toBe(1900);
});

test('a reset empties one world and no other', async () => {
  const [one, two] = [await stand.world(), await stand.world()];
  await stand.control.reset(one.name);
  expect((await stand.control.truth(one.name)).living).toEqual([]);
  expect((await two.cf.accounts.get({ account_id: two.account })).id).toBe(two.account);
});

test('the world’s clock ends keys of both providers: the same call then makes another', async () => {
  const { cf, account, name, credentials } = await stand.world();
  const stripe = stripeClient(stand.running.apiUrl, credentials.stripe.actions);
  const both = async () => {
    const made = await cf.accounts.create({ name: 'Acme', standalone: true, ...key('first') });
    const customer = await stripe.customers.create({ name: 'A' }, { idempotencyKey: 'first' });
    return [made.id, customer.id];
  };
  const before = await both();
  expect(before[0]).toBe(account);
  await stand.control.clock(name, DAY_MS - 60_000);
  expect(await both()).toEqual(before);
  await stand.control.clock(name, 120_000);
  const after = await both();
  expect(after[0]).not.toBe(before[0]);
  expect(after[1]).not.toBe(before[1]);
});
