import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { FullStand, Tenant } from './stand.js';
import { startFullStand, until } from './stand.js';

let stand: FullStand;
beforeAll(async () => {
  stand = await startFullStand();
});
afterAll(() => stand.close());

const choose = ({ person }: Tenant, name: string, value: string | number): Promise<unknown> =>
  person({ do: 'set-choice', name, value });
const register = ({ cf, account }: Tenant, domain: string, more: { years?: number } = {}) =>
  cf.registrar.registrations.create({ account_id: account, domain_name: domain, ...more });
const statusOf = ({ cf, account }: Tenant, domain: string) =>
  cf.registrar.registrationStatus.get(domain, { account_id: account });
const ended = (tenant: Tenant, domain: string) =>
  until(
    () => statusOf(tenant, domain),
    ({ completed }) => completed,
  );
const charges = async ({ name }: Tenant) =>
  (await stand.control.truth(name)).charges.map(({ object, amountMinor, refundedMinor }) => [
    object,
    amountMinor,
    refundedMinor,
  ]);

test('a check tells prices as strings, why a name cannot be had, and leaves malformed names out', async () => {
  const { cf, account } = await stand.world();
  const { domains } = await cf.registrar.check({
    account_id: account,
    domains: [
      'one.club',
      'superseal.cc',
      'acme-taken.com',
      'premium-x.com',
      'x.example',
      'not a name',
    ],
  });
  expect(domains.map(({ name, registrable, reason }) => [name, registrable, reason])).toEqual([
    ['one.club', true, undefined],
    ['superseal.cc', false, 'extension_not_supported_via_api'],
    ['acme-taken.com', false, 'domain_unavailable'],
    ['premium-x.com', false, 'domain_premium'],
    ['x.example', false, 'extension_not_supported'],
  ]);
  expect(domains[0]!.pricing).toEqual({
    currency: 'USD',
    registration_cost: '11.20',
    renewal_cost: '11.20',
  });
  await expect(cf.registrar.check({ account_id: account, domains: [] })).rejects.toMatchObject({
    errors: [{ code: 1006 }],
  });
});

test('a registration within the wait window answers 201, and 202 when asked not to wait', async () => {
  const tenant = await stand.world();
  const { cf, account } = tenant;
  const body = { account_id: account, domain_name: 'now.club' };
  const { data, response } = await cf.registrar.registrations.create(body).withResponse();
  expect(response.status).toBe(201);
  expect(data).toMatchObject({ state: 'succeeded', completed: true, error: null });
  expect(data.links.self).toBe(
    `/accounts/${account}/registrar/registrations/now.club/registration-status`,
  );
  const later = await cf.registrar.registrations
    .create({ account_id: account, domain_name: 'later.club', Prefer: 'respond-async' })
    .withResponse();
  expect([later.response.status, later.data.state]).toEqual([202, 'pending']);
  expect((await ended(tenant, 'later.club')).state).toBe('succeeded');
  const held = await cf.registrar.registrations.get('later.club', { account_id: account });
  expect(held).toMatchObject({ status: 'active', auto_renew: false, privacy_mode: 'redaction' });
  expect(await charges(tenant)).toEqual([
    ['now.club', 1120, 0],
    ['later.club', 1120, 0],
  ]);
});

test('a second request for the same name is the same workflow and is charged once', async () => {
  const tenant = await stand.world();
  const [one, two] = await Promise.all([
    register(tenant, 'twice.club'),
    register(tenant, 'twice.club'),
  ]);
  expect(one.created_at).toBe(two.created_at);
  await register(tenant, 'twice.club');
  expect(await charges(tenant)).toEqual([['twice.club', 1120, 0]]);
});

test('a second request for the same name is a conflict where the world says so', async () => {
  const tenant = await stand.world();
  await choose(tenant, 'registrar.duplicate', 'conflict-409');
  await register(tenant, 'once.club');
  await expect(register(tenant, 'once.club')).rejects.toMatchObject({ status: 409 });
  expect(await charges(tenant)).toEqual([['once.club', 1120, 0]]);
});

test('a name is registered once among all accounts', async () => {
  const tenant = await stand.world();
  const other = await tenant.cf.accounts.create({
    name: 'Other',
    standalone: true,
    'Idempotency-Key': 'other',
  });
  await register(tenant, 'mine.club');
  const status = await register({ ...tenant, account: other.id }, 'mine.club');
  expect(status).toMatchObject({ state: 'failed', error: { code: 'domain_unavailable' } });
  expect(await charges(tenant)).toEqual([['mine.club', 1120, 0]]);
});

test('several years cost the first at the registration price and the others at renewal', async () => {
  const tenant = await stand.world();
  await tenant.person({
    do: 'set-domain-price',
    tld: 'club',
    registrationMinor: 500,
    renewalMinor: 1500,
  });
  await register(tenant, 'long.club', { years: 3 });
  expect(await charges(tenant)).toEqual([['long.club', 3500, 0]]);
  await expect(register(tenant, 'short.ai', { years: 1 })).rejects.toMatchObject({ status: 400 });
  await register(tenant, 'short.ai');
  expect((await charges(tenant))[1]).toEqual(['short.ai', 14_000, 0]);
});

test('the price may change between check and registration', async () => {
  const tenant = await stand.world();
  await stand.control.faults(tenant.name, [
    {
      provider: 'cloudflare',
      method: 'POST',
      path: '/client/v4/accounts/*/registrar/registrations',
      fault: 'price-drift',
      byMinor: 900,
    },
  ]);
  await register(tenant, 'drift.club');
  expect(await charges(tenant)).toEqual([['drift.club', 2020, 0]]);
});

test.each([
  ['add-billing', 'remove-billing', undefined, 'registrant_contact_missing'],
  ['accept-agreement', undefined, 'no', 'agreement_not_accepted'],
] as const)(
  'what a person has not done yet (%s) makes a registration fail, and nothing is charged',
  async (mend, spoil, fresh, code) => {
    const tenant = await stand.world();
    const { cf, person } = tenant;
    if (fresh !== undefined) await choose(tenant, 'accounts.new-billing', fresh);
    const { id: account } = await cf.accounts.create({
      name: 'New',
      standalone: true,
      'Idempotency-Key': 'new',
    });
    if (spoil !== undefined) await person({ do: spoil, account });
    const status = await register({ ...tenant, account }, 'gate.club');
    expect(status).toMatchObject({ state: 'failed', error: { code } });
    expect(await charges(tenant)).toEqual([]);
    await person({ do: mend, account });
    if (fresh !== undefined) await person({ do: 'add-billing', account });
    expect((await register({ ...tenant, account }, 'gate.club')).state).toBe('succeeded');
  },
);

test('a declined card fails the registration without a charge', async () => {
  const tenant = await stand.world();
  await stand.control.faults(tenant.name, [
    {
      provider: 'cloudflare',
      method: 'POST',
      path: '/client/v4/**/registrations',
      fault: 'decline',
    },
  ]);
  expect(await register(tenant, 'card.club')).toMatchObject({
    state: 'failed',
    error: { code: 'payment_declined' },
  });
  expect(await charges(tenant)).toEqual([]);
});

test('a registration waits for the registrant to confirm, and goes on once that is done', async () => {
  const tenant = await stand.world();
  await choose(tenant, 'registrar.outcome', 'action-required');
  await register(tenant, 'confirm.club');
  const waiting = await statusOf(tenant, 'confirm.club');
  expect(waiting).toMatchObject({
    state: 'action_required',
    completed: false,
    context: { action: 'registrant_email_confirmation_pending' },
  });
  await tenant.person({ do: 'confirm-registrant-email', domain: 'confirm.club' });
  expect((await ended(tenant, 'confirm.club')).state).toBe('succeeded');
});

test('a blocked registration succeeds once the registry has confirmed', async () => {
  const tenant = await stand.world();
  await choose(tenant, 'registrar.outcome', 'blocked');
  await register(tenant, 'blocked.club');
  expect((await statusOf(tenant, 'blocked.club')).state).toBe('blocked');
  expect(await charges(tenant)).toEqual([]);
  await stand.control.clock(tenant.name, 25 * 3_600_000);
  expect((await statusOf(tenant, 'blocked.club')).state).toBe('succeeded');
});

test('a failed registration whose money was taken is voided by itself, and holds the name till then', async () => {
  const tenant = await stand.world();
  await choose(tenant, 'registrar.outcome', 'fail-captured');
  await register(tenant, 'captured.club');
  expect(await charges(tenant)).toEqual([['captured.club', 1120, 0]]);
  const check = () =>
    tenant.cf.registrar.check({ account_id: tenant.account, domains: ['captured.club'] });
  expect((await check()).domains[0]!.registrable).toBe(false);
  await stand.control.clock(tenant.name, 6 * 86_400_000);
  expect((await check()).domains[0]!.registrable).toBe(true);
  expect(await charges(tenant)).toEqual([['captured.club', 1120, 1120]]);
});

test('a fraud check refuses for some minutes, and then no more', async () => {
  const tenant = await stand.world();
  await choose(tenant, 'registrar.outcome', 'fraud-block');
  await expect(register(tenant, 'fraud.club')).rejects.toMatchObject({ status: 400 });
  await stand.control.clock(tenant.name, 21 * 60_000);
  expect((await register(tenant, 'fraud.club')).state).toBe('succeeded');
});

test('the status of a registration may lag behind its request', async () => {
  const tenant = await stand.world();
  await choose(tenant, 'registrar.status-lag-ms', 60_000);
  await register(tenant, 'lag.club');
  await expect(statusOf(tenant, 'lag.club')).rejects.toMatchObject({ status: 404 });
  await stand.control.clock(tenant.name, 60_000);
  expect((await statusOf(tenant, 'lag.club')).state).toBe('succeeded');
});

test('a zone comes after its domain, pending first and then active', async () => {
  const tenant = await stand.world();
  const { cf, account, name } = tenant;
  await choose(tenant, 'registrar.zone-delay-ms', 60_000);
  await choose(tenant, 'zones.activation-ms', 60_000);
  await register(tenant, 'zone.club');
  const zones = async () =>
    (await cf.zones.list({ name: 'zone.club', account: { id: account } })).result.map(
      ({ status }) => status,
    );
  expect(await zones()).toEqual([]);
  await stand.control.clock(name, 60_000);
  expect(await zones()).toEqual(['pending']);
  await stand.control.clock(name, 60_000);
  expect(await zones()).toEqual(['active']);
});

test('renewal is the one thing that can be edited', async () => {
  const tenant = await stand.world();
  const { cf, account } = tenant;
  await register(tenant, 'renew.club');
  for (const wanted of [true, false]) {
    const status = await cf.registrar.registrations.edit('renew.club', {
      account_id: account,
      auto_renew: wanted,
    });
    expect(status).toMatchObject({ state: 'succeeded', completed: true });
    expect(status.links.self).toMatch(/\/update-status$/);
    const held = await cf.registrar.registrations.get('renew.club', { account_id: account });
    expect(held.auto_renew).toBe(wanted);
  }
});

test('support gives the money back within five days and not after', async () => {
  const tenant = await stand.world();
  await register(tenant, 'early.club');
  await register(tenant, 'late.club');
  await tenant.person({ do: 'support-refund', domain: 'early.club' });
  await stand.control.clock(tenant.name, 6 * 86_400_000);
  await expect(tenant.person({ do: 'support-refund', domain: 'late.club' })).rejects.toThrow(
    'support refuses',
  );
  expect(await charges(tenant)).toEqual([
    ['early.club', 1120, 1120],
    ['late.club', 1120, 0],
  ]);
});

test('the list of registrations goes on behind a cursor to its end', async () => {
  const tenant = await stand.world();
  for (const name of ['a', 'b', 'c']) await register(tenant, `${name}-page.club`);
  const seen: string[] = [];
  for await (const { domain_name } of tenant.cf.registrar.registrations.list({
    account_id: tenant.account,
    per_page: 2,
  }))
    seen.push(domain_name);
  expect(seen).toEqual(['a-page.club', 'b-page.club', 'c-page.club']);
});
