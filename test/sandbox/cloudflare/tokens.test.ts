import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { TokenCreateParams } from 'cloudflare/resources/accounts/tokens/tokens';
import type { FullStand, Tenant } from './stand.js';
import { cloudflareClient, domainWithZone, startFullStand } from './stand.js';

let stand: FullStand;
beforeAll(async () => {
  stand = await startFullStand();
});
afterAll(() => stand.close());

type Policy = TokenCreateParams['policies'][number];

async function group({ cf, account }: Tenant, name: string): Promise<string> {
  const found = await cf.accounts.tokens.permissionGroups.list({ account_id: account, name });
  return found.result[0]!.id!;
}

async function policy(
  tenant: Tenant,
  name: string,
  { effect = 'allow', resource = `com.cloudflare.api.account.${tenant.account}` } = {},
): Promise<Policy> {
  return {
    effect: effect as 'allow' | 'deny',
    permission_groups: [{ id: await group(tenant, name) }],
    resources: { [resource]: '*' },
  };
}

/** A token of the account, with a client that speaks as it. */
async function tokenWith(
  tenant: Tenant,
  more: Partial<TokenCreateParams> = {},
): Promise<{ id: string; reads: () => Promise<unknown>; own: Tenant['cf'] }> {
  const { cf, account } = tenant;
  const { id, value } = await cf.accounts.tokens.create({
    account_id: account,
    name: 'step',
    policies: [await policy(tenant, 'Account Settings Read')],
    ...more,
  });
  const own = cloudflareClient(stand.running.apiUrl, value!);
  return { id: id!, own, reads: () => own.accounts.get({ account_id: account }) };
}

const dead = { status: 401, errors: [{ code: 10000 }] };

test('a token does not work before its time', async () => {
  const tenant = await stand.world();
  const { now } = await stand.control.truth(tenant.name);
  const { reads } = await tokenWith(tenant, { not_before: new Date(now + 60_000).toISOString() });
  await expect(reads()).rejects.toMatchObject(dead);
  await stand.control.clock(tenant.name, 60_000);
  await expect(reads()).resolves.toMatchObject({ id: tenant.account });
});

test.each([
  ['from this address alone', { in: ['127.0.0.1/32'] }, true],
  ['from everywhere', { in: ['0.0.0.0/0'] }, true],
  ['from another network alone', { in: ['198.51.100.0/24'] }, false],
  ['from everywhere but here', { in: ['0.0.0.0/0'], not_in: ['127.0.0.0/8'] }, false],
])('a token that works %s', async (_, request_ip, works) => {
  const { reads } = await tokenWith(await stand.world(), { condition: { request_ip } });
  if (works) await expect(reads()).resolves.toHaveProperty('id');
  else await expect(reads()).rejects.toMatchObject(dead);
});

test('a token is disabled at once, and works again when it is made active', async () => {
  const tenant = await stand.world();
  const { cf, account } = tenant;
  const { id, reads } = await tokenWith(tenant);
  const turn = async (status: 'active' | 'disabled') =>
    cf.accounts.tokens.update(id, {
      account_id: account,
      name: 'step',
      policies: [await policy(tenant, 'Account Settings Read')],
      status,
    });
  await reads();
  expect((await turn('disabled')).status).toBe('disabled');
  await expect(reads()).rejects.toMatchObject(dead);
  await turn('active');
  await expect(reads()).resolves.toHaveProperty('id');
});

test('a deleted token is nobody’s, and an expired one is listed only when asked for', async () => {
  const tenant = await stand.world();
  const { cf, account, name } = tenant;
  const { now } = await stand.control.truth(name);
  const { id, reads } = await tokenWith(tenant);
  await tokenWith(tenant, { name: 'late', expires_on: new Date(now + 60_000).toISOString() });
  await cf.accounts.tokens.delete(id, { account_id: account });
  await expect(reads()).rejects.toMatchObject(dead);
  await stand.control.clock(name, 60_000);
  const listed = async (more: { include_expired?: boolean } = {}) => {
    const found: unknown[] = [];
    for await (const token of cf.accounts.tokens.list(
      { account_id: account },
      { query: { ...more } },
    ))
      found.push([token.name, token.status]);
    return found;
  };
  expect(await listed()).toEqual([]);
  expect(await listed({ include_expired: true })).toEqual([['late', 'expired']]);
});

test('a new token may take a while to be known everywhere', async () => {
  const tenant = await stand.world();
  await tenant.person({ do: 'set-choice', name: 'tokens.spread-ms', value: 5_000 });
  const { reads } = await tokenWith(tenant);
  await expect(reads()).rejects.toMatchObject(dead);
  await stand.control.clock(tenant.name, 5_000);
  await expect(reads()).resolves.toHaveProperty('id');
});

test('a denial outweighs what another policy of the token allows', async () => {
  const tenant = await stand.world();
  const policies = [
    await policy(tenant, 'Account Settings Read'),
    await policy(tenant, 'Account Settings Read', { effect: 'deny' }),
  ];
  const { reads } = await tokenWith(tenant, { policies });
  await expect(reads()).rejects.toMatchObject({ status: 403 });
});

test('a token for one zone reads that zone and no other', async () => {
  const tenant = await stand.world();
  const mine = await domainWithZone(tenant, 'mine.club');
  const other = await domainWithZone(tenant, 'other.club');
  const resource = `com.cloudflare.api.account.zone.${mine}`;
  const { own } = await tokenWith(tenant, {
    policies: [await policy(tenant, 'Zone Read', { resource })],
  });
  expect((await own.zones.get({ zone_id: mine })).name).toBe('mine.club');
  await expect(own.zones.get({ zone_id: other })).rejects.toMatchObject({ status: 403 });
  expect((await own.zones.list()).result.map(({ name }) => name)).toEqual(['mine.club']);
});

test('a token cannot make one that may do more than it may itself', async () => {
  const tenant = await stand.world();
  const { account } = tenant;
  const { own } = await tokenWith(tenant, {
    policies: [await policy(tenant, 'Account API Tokens Write')],
  });
  const make = async (name: string) =>
    own.accounts.tokens.create({
      account_id: account,
      name: 'child',
      policies: [await policy(tenant, name)],
    });
  await expect(make('Account API Tokens Write')).resolves.toHaveProperty('value');
  await expect(make('Workers Scripts Write')).rejects.toMatchObject({ status: 403 });
});
