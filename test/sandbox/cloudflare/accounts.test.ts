import { afterAll, beforeAll, expect, test } from '@jest/globals';
import Cloudflare from 'cloudflare';
import type { FullStand } from './stand.js';
import { cloudflareClient, domainWithZone, key, startFullStand } from './stand.js';

let stand: FullStand;
beforeAll(async () => {
  stand = await startFullStand();
});
afterAll(() => stand.close());

test('every answer has the envelope, an id of its own and the marks of the rate limit', async () => {
  const { cf, account } = await stand.world();
  const answer = await cf.accounts.get({ account_id: account }).asResponse();
  expect(await answer.json()).toMatchObject({ success: true, errors: [], messages: [] });
  expect(answer.headers.get('cf-ray')).toMatch(/^[0-9a-f]{16}-SBX$/);
  expect(answer.headers.get('ratelimit')).toMatch(/r=\d+;t=\d+/);
  expect(account).toMatch(/^[0-9a-f]{32}$/);
});

test('an account is made once per key, and another request under the key is refused', async () => {
  const { cf } = await stand.world();
  const make = (name: string) => cf.accounts.create({ name, standalone: true, ...key('k') });
  const [one, two] = [await make('Acme'), await make('Acme')];
  expect(two.id).toBe(one.id);
  expect(one.created_on).toMatch(/\.\d{6}Z$/);
  await expect(make('Another')).rejects.toMatchObject({ status: 409 });
  await expect(cf.accounts.create({ name: 'Acme', standalone: true })).rejects.toMatchObject({
    status: 400,
    errors: [{ code: 1001 }],
  });
});

test('account creation without an organization is forbidden, and so is standalone where the world says so', async () => {
  const { cf, person } = await stand.world();
  await expect(cf.accounts.create({ name: 'Acme' })).rejects.toMatchObject({
    errors: [{ code: 1002 }],
  });
  await person({ do: 'set-choice', name: 'accounts.standalone', value: 'forbidden' });
  await expect(
    cf.accounts.create({ name: 'Acme', standalone: true, ...key('x') }),
  ).rejects.toMatchObject({ status: 403, errors: [{ code: 1002 }] });
});

test('only an account of our own organization can be deleted', async () => {
  const { cf, account } = await stand.world();
  await expect(cf.accounts.delete({ account_id: account })).rejects.toMatchObject({ status: 403 });
  const { id } = await cf.accounts.create({ name: 'Tenant', unit: { id: 'organization' } });
  await cf.accounts.delete({ account_id: id });
  await expect(cf.accounts.get({ account_id: id })).rejects.toMatchObject({ status: 403 });
});

test('lists go page by page and end with an empty page', async () => {
  const { cf } = await stand.world();
  for (const name of ['b', 'c']) await cf.accounts.create({ name, standalone: true, ...key(name) });
  const seen: string[] = [];
  for await (const { name } of cf.accounts.list({ per_page: 2 })) seen.push(name);
  expect(seen).toEqual(['Acme', 'b', 'c']);
});

test('a list may say null where there are no errors, and the package reads it all the same', async () => {
  const { cf, person } = await stand.world();
  await person({ do: 'set-choice', name: 'lists.errors', value: 'null' });
  const answer = await cf.accounts.list().asResponse();
  expect(await answer.json()).toMatchObject({ success: true, errors: null });
  expect((await cf.accounts.list()).result.map(({ name }) => name)).toEqual(['Acme']);
});

test('how a new paid subscription starts is the world’s choice, and only a paid one is charged', async () => {
  const { cf, account, name, person } = await stand.world();
  for (const value of ['AwaitingPayment', 'Failed', 'Paid']) {
    await person({ do: 'set-choice', name: 'subscriptions.payment', value });
    const made = await cf.accounts.subscriptions.create({
      account_id: account,
      frequency: 'monthly',
      rate_plan: { id: 'pro' },
    });
    expect(made.state).toBe(value);
  }
  expect((await stand.control.truth(name)).charges).toHaveLength(1);
});

test('a zone on the free plan has no subscription to read', async () => {
  const tenant = await stand.world();
  const zone = await domainWithZone(tenant, 'free.club');
  await expect(tenant.cf.zones.subscriptions.get({ zone_id: zone })).rejects.toMatchObject({
    status: 404,
    errors: [{ code: 1207 }],
  });
});

test('an existing account is seen only while its owner consents', async () => {
  const { cf, person } = await stand.world();
  const made = (await person({
    do: 'existing-account',
    name: 'Own',
    email: 'owner@example.com',
  })) as { account: string };
  const get = () => cf.accounts.get({ account_id: made.account });
  await expect(get()).rejects.toMatchObject({ status: 403, errors: [{ code: 9109 }] });
  await person({ do: 'consent', account: made.account });
  expect((await get()).name).toBe('Own');
  const members = await cf.accounts.members.list({ account_id: made.account });
  expect(members.result.map(({ email, status }) => [email, status])).toEqual([
    ['owner@example.com', 'accepted'],
  ]);
  await person({ do: 'revoke-consent', account: made.account });
  await expect(get()).rejects.toMatchObject({ status: 403 });
});

test('an invitation waits for its person, and a second one is refused', async () => {
  const { cf, account, person } = await stand.world();
  const invite = () =>
    cf.accounts.members.create({ account_id: account, email: 'a@example.com', roles: ['r'] });
  const member = await invite();
  expect(member.status).toBe('pending');
  await expect(invite()).rejects.toMatchObject({ status: 400 });
  await person({ do: 'accept-invitation', account, email: 'a@example.com' });
  const read = await cf.accounts.members.get(member.id!, { account_id: account });
  expect(read.status).toBe('accepted');
  await cf.accounts.members.delete(member.id!, { account_id: account });
  await expect(cf.accounts.members.get(member.id!, { account_id: account })).rejects.toMatchObject({
    status: 404,
  });
});

test('payment methods show what a person set up', async () => {
  const { cf, account, person } = await stand.world();
  const count = async () => {
    let found = 0;
    for await (const method of cf.accounts.paymentMethods.list({ account_id: account }))
      found += method.id === undefined ? 0 : 1;
    return found;
  };
  expect(await count()).toBe(1);
  await person({ do: 'remove-billing', account });
  expect(await count()).toBe(0);
  await person({ do: 'add-billing', account });
  expect(await count()).toBe(1);
});

test('cancelling a subscription is scheduled for the end of its period and gives nothing back', async () => {
  const { cf, account, name } = await stand.world();
  const made = await cf.accounts.subscriptions.create({
    account_id: account,
    frequency: 'monthly',
    rate_plan: { id: 'pro' },
  });
  await cf.accounts.subscriptions.delete(made.id!, { account_id: account });
  await expect(cf.accounts.subscriptions.delete(made.id!, { account_id: account })).rejects.toThrow(
    'You cannot modify this subscription',
  );
  const read = () => cf.accounts.subscriptions.getByIdentifier(made.id!, { account_id: account });
  expect((await read()).state).toBe('Paid');
  await stand.control.clock(name, 31 * 86_400_000);
  expect((await read()).state).toBe('Cancelled');
  const { charges } = await stand.control.truth(name);
  expect(charges).toMatchObject([{ amountMinor: 2500, refundedMinor: 0 }]);
});

test('a token works within its groups, account and time, and its value is told once', async () => {
  const { cf, account, name } = await stand.world();
  const groups: { id?: string; name?: string }[] = [];
  for await (const group of cf.accounts.tokens.permissionGroups.list({ account_id: account }))
    groups.push(group);
  const reading = groups.find((group) => group.name === 'Account Settings Read');
  const { now } = await stand.control.truth(name);
  const token = await cf.accounts.tokens.create({
    account_id: account,
    name: 'step',
    policies: [
      {
        effect: 'allow',
        permission_groups: [{ id: reading!.id! }],
        resources: { [`com.cloudflare.api.account.${account}`]: '*' },
      },
    ],
    expires_on: new Date(now + 900_000).toISOString(),
  });
  const own = cloudflareClient(stand.running.apiUrl, token.value!);
  expect((await own.accounts.tokens.verify({ account_id: account })).status).toBe('active');
  expect((await own.accounts.get({ account_id: account })).id).toBe(account);
  await expect(own.workers.domains.list({ account_id: account })).rejects.toMatchObject({
    status: 403,
    errors: [{ code: 10000 }],
  });
  await expect(own.accounts.list()).rejects.toMatchObject({
    status: 400,
    errors: [{ code: 1001 }],
  });
  const read = await cf.accounts.tokens.get(token.id!, { account_id: account });
  expect(read).not.toHaveProperty('value');
  const rolled = await cf.accounts.tokens.value.update(token.id!, {
    account_id: account,
  });
  await expect(own.accounts.get({ account_id: account })).rejects.toMatchObject({ status: 401 });
  const fresh = cloudflareClient(stand.running.apiUrl, rolled);
  expect((await fresh.accounts.get({ account_id: account })).id).toBe(account);
  await stand.control.clock(name, 901_000);
  await expect(fresh.accounts.get({ account_id: account })).rejects.toMatchObject({ status: 401 });
});

test('malformed credentials are told from wrong ones', async () => {
  const url = `${stand.running.apiUrl}/client/v4/accounts`;
  const said = async (headers: Record<string, string>) => {
    const answer = await fetch(url, { headers: { connection: 'close', ...headers } });
    const { errors } = (await answer.json()) as { errors: { code: number }[] };
    return [answer.status, errors[0]!.code];
  };
  expect(await said({})).toEqual([400, 9106]);
  expect(await said({ authorization: 'Basic eA==' })).toEqual([400, 6003]);
  expect(await said({ authorization: 'Bearer wrong' })).toEqual([401, 10000]);
});

test('too many calls block every call for five minutes', async () => {
  const { cf, person, name } = await stand.world();
  await person({ do: 'set-choice', name: 'rate.limit', value: 3 });
  const call = () => cf.accounts.list();
  await call();
  await call();
  const refused: unknown = await call().catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(Cloudflare.RateLimitError);
  const wait = Number(
    (refused as InstanceType<typeof Cloudflare.APIError>).headers?.get('retry-after'),
  );
  expect(wait).toBeGreaterThan(290);
  await stand.control.clock(name, 300_000);
  await call();
});

test('a route that is not there answers 501 and shows in the truth', async () => {
  const { cf, account, name } = await stand.world();
  await expect(cf.kv.namespaces.create({ account_id: account, title: 'x' })).rejects.toMatchObject({
    status: 501,
  });
  const { unknownRoutes } = await stand.control.truth(name);
  expect(unknownRoutes).toMatchObject([{ provider: 'cloudflare', method: 'POST' }]);
});

test('the package sends once, and the log shows which attempt it was', async () => {
  const { cf, name } = await stand.world();
  await stand.control.faults(name, [
    { provider: 'cloudflare', method: 'GET', path: '/client/v4/accounts', fault: '429' },
  ]);
  await expect(cf.accounts.list()).rejects.toMatchObject({ status: 429 });
  const { requests } = await stand.control.truth(name);
  const lists = requests.filter(
    ({ method, path }) => method === 'GET' && path.endsWith('/accounts'),
  );
  expect(lists).toHaveLength(1);
  expect(lists[0]!.headers['x-stainless-retry-count']).toBe('0');
});
