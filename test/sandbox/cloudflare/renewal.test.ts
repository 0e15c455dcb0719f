import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { FullStand, Tenant } from './stand.js';
import { startFullStand } from './stand.js';

let stand: FullStand;
beforeAll(async () => {
  stand = await startFullStand();
});
afterAll(() => stand.close());

const YEAR_MS = 366 * 86_400_000;

const register = ({ cf, account }: Tenant, domain: string, auto_renew?: boolean) =>
  cf.registrar.registrations.create({
    account_id: account,
    domain_name: domain,
    ...(auto_renew === undefined ? {} : { auto_renew }),
  });
const held = ({ cf, account }: Tenant, domain: string) =>
  cf.registrar.registrations.get(domain, { account_id: account });
const amounts = async ({ name }: Tenant) =>
  (await stand.control.truth(name)).charges.map(({ object, amountMinor }) => [object, amountMinor]);

test('an update that does not wait is followed by its own status', async () => {
  const tenant = await stand.world();
  const { cf, account, person, name } = tenant;
  await register(tenant, 'update.club');
  const status = () => cf.registrar.updateStatus.get('update.club', { account_id: account });
  await expect(status()).rejects.toMatchObject({ status: 404 });
  await person({ do: 'set-choice', name: 'registrar.update-ms', value: 60_000 });
  const answer = await cf.registrar.registrations
    .edit(
      'update.club',
      { account_id: account, auto_renew: true },
      { headers: { prefer: 'respond-async' } },
    )
    .asResponse();
  expect(answer.status).toBe(202);
  expect(await status()).toMatchObject({ state: 'in_progress', completed: false });
  expect((await held(tenant, 'update.club')).auto_renew).toBe(false);
  await stand.control.clock(name, 60_000);
  expect(await status()).toMatchObject({ state: 'succeeded', completed: true });
  expect((await held(tenant, 'update.club')).auto_renew).toBe(true);
});

test('a name renews by itself at the renewal price, for as long as renewal is on', async () => {
  const tenant = await stand.world();
  const { person, name, cf, account } = tenant;
  await register(tenant, 'keeps.club', true);
  await register(tenant, 'ends.club');
  await person({
    do: 'set-domain-price',
    tld: 'club',
    registrationMinor: 1120,
    renewalMinor: 1300,
  });
  await stand.control.clock(name, YEAR_MS);
  expect(await held(tenant, 'keeps.club')).toMatchObject({ status: 'active', auto_renew: true });
  expect(await held(tenant, 'ends.club')).toMatchObject({ status: 'expired', auto_renew: false });
  const once = [
    ['keeps.club', 1120],
    ['ends.club', 1120],
    ['keeps.club', 1300],
  ];
  expect(await amounts(tenant)).toEqual(once);
  await cf.registrar.registrations.edit('keeps.club', { account_id: account, auto_renew: false });
  await stand.control.clock(name, YEAR_MS);
  expect((await held(tenant, 'keeps.club')).status).toBe('expired');
  expect(await amounts(tenant)).toEqual(once);
});

test('a name does not renew without a card behind the account', async () => {
  const tenant = await stand.world();
  await register(tenant, 'poor.club', true);
  await tenant.person({ do: 'remove-billing', account: tenant.account });
  await stand.control.clock(tenant.name, YEAR_MS);
  expect((await held(tenant, 'poor.club')).status).toBe('expired');
  expect(await amounts(tenant)).toEqual([['poor.club', 1120]]);
});

test('an account registers up to its limit of names and not one more', async () => {
  const tenant = await stand.world();
  await tenant.person({ do: 'set-choice', name: 'registrar.limit', value: 2 });
  for (const domain of ['one.club', 'two.club']) await register(tenant, domain);
  await expect(register(tenant, 'three.club')).rejects.toMatchObject({
    status: 400,
    errors: [{ message: expect.stringContaining('Domain limit reached') }],
  });
  expect(await amounts(tenant)).toHaveLength(2);
});
