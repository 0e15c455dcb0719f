import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { FullStand, Tenant } from './stand.js';
import { startFullStand } from './stand.js';

let stand: FullStand;
beforeAll(async () => {
  stand = await startFullStand();
});
afterAll(() => stand.close());

const search = async (
  { cf, account }: Tenant,
  query: { q: string; extensions?: string[]; limit?: number },
) => (await cf.registrar.search({ account_id: account, ...query })).domains;

test('a search suggests the words under each extension, with prices, and only advises', async () => {
  const tenant = await stand.world();
  const found = await search(tenant, { q: 'Super Seal!' });
  expect(found.map(({ name }) => name)).toEqual(
    ['ai', 'club', 'com', 'dev', 'net', 'org'].map((tld) => `superseal.${tld}`),
  );
  expect(found[1]).toMatchObject({
    registrable: true,
    pricing: { currency: 'USD', registration_cost: '11.20', renewal_cost: '11.20' },
  });
  await tenant.person({ do: 'take-domain', domain: 'superseal.club' });
  const again = await search(tenant, { q: 'superseal', extensions: ['club'] });
  expect(again).toMatchObject([{ registrable: false, reason: 'domain_unavailable' }]);
});

test('a search keeps to the extensions and the number that it is asked for', async () => {
  const tenant = await stand.world();
  const named = await search(tenant, { q: 'a', extensions: ['club', 'dev'] });
  expect(named.map(({ name }) => name)).toEqual(['a.club', 'a.dev']);
  expect(await search(tenant, { q: 'a', limit: 2 })).toHaveLength(2);
  await expect(search(tenant, { q: '!!' })).rejects.toMatchObject({ status: 400 });
});

test('the extensions that can be registered are listed behind a cursor, each with its least term', async () => {
  const { cf, account } = await stand.world();
  const years = { registration_schema: { properties: { years: { minimum: 2, maximum: 10 } } } };
  const listed: string[] = [];
  for await (const { metadata } of cf.registrar.extensions.list({
    account_id: account,
    per_page: 4,
  }))
    listed.push(metadata.tld);
  expect(listed).toEqual(['ai', 'club', 'com', 'dev', 'net', 'org']);
  const read = (tld: string) => cf.registrar.extensions.get(tld, { account_id: account });
  expect(await read('ai')).toMatchObject(years);
  await expect(read('cc')).rejects.toMatchObject({ status: 404 });
});

test('a term shorter than the least of its extension is refused', async () => {
  const { cf, account, name } = await stand.world();
  const register = (years: number) =>
    cf.registrar.registrations.create({ account_id: account, domain_name: 'term.ai', years });
  await expect(register(1)).rejects.toMatchObject({ status: 400 });
  await register(2);
  expect((await stand.control.truth(name)).charges).toMatchObject([{ amountMinor: 14_000 }]);
});
