import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { FullStand, Tenant } from './stand.js';
import { deploy, domainWithZone, saying, startFullStand } from './stand.js';

let stand: FullStand;
beforeAll(async () => {
  stand = await startFullStand();
});
afterAll(() => stand.close());

const A = { type: 'A', name: 'www', content: '192.0.2.1', ttl: 1 } as const;
const names = async ({ cf }: Tenant, zone: string) => {
  const found: string[] = [];
  for await (const { type, name, content } of cf.dns.records.list({ zone_id: zone, per_page: 2 }))
    found.push(`${type} ${name} ${content ?? ''}`);
  return found;
};

test('names get their zone appended, and @ is the zone', async () => {
  const tenant = await stand.world();
  const zone = await domainWithZone(tenant, 'names.club');
  const made = await tenant.cf.dns.records.create({ zone_id: zone, ...A });
  expect(made).toMatchObject({ name: 'www.names.club', ttl: 1 });
  await tenant.cf.dns.records.create({ zone_id: zone, ...A, name: '@' });
  await tenant.cf.dns.records.create({ zone_id: zone, ...A, name: 'API.names.club' });
  expect(await names(tenant, zone)).toEqual([
    'A api.names.club 192.0.2.1',
    'A names.club 192.0.2.1',
    'A www.names.club 192.0.2.1',
  ]);
});

test.each([
  ['an identical record', A, 81058],
  ['a CNAME beside an address', { ...A, type: 'CNAME', content: 'x.example' } as const, 81053],
  ['content that is no address', { ...A, name: 'b', content: 'nowhere' } as const, 9005],
])('%s is refused with its number', async (_, record, code) => {
  const { cf, ...tenant } = await stand.world();
  const zone = await domainWithZone({ cf, ...tenant }, 'refused.club');
  await cf.dns.records.create({ zone_id: zone, ...A });
  await expect(cf.dns.records.create({ zone_id: zone, ...record })).rejects.toMatchObject({
    status: 400,
    errors: [{ code }],
  });
});

test('a record that is not there is 81044, and an id that is none has no route', async () => {
  const { cf, ...tenant } = await stand.world();
  const zone = await domainWithZone({ cf, ...tenant }, 'missing.club');
  const none = 'a'.repeat(32);
  await expect(cf.dns.records.delete(none, { zone_id: zone })).rejects.toMatchObject({
    status: 404,
    errors: [{ code: 81044 }],
  });
  await expect(cf.zones.get({ zone_id: 'nonsense' })).rejects.toMatchObject({
    errors: [{ code: 7003 }],
  });
  await expect(cf.zones.get({ zone_id: none })).rejects.toMatchObject({ errors: [{ code: 9109 }] });
});

test('a batch deletes before it posts, and a refused part takes the whole of it back', async () => {
  const tenant = await stand.world();
  const { cf } = tenant;
  const zone = await domainWithZone(tenant, 'batch.club');
  const old = await cf.dns.records.create({ zone_id: zone, ...A, comment: 'old' });
  await cf.dns.records.batch({
    zone_id: zone,
    deletes: [{ id: old.id }],
    posts: [{ ...A, comment: 'countersign abc' }],
  });
  const list = await cf.dns.records.list({ zone_id: zone });
  expect(list.result).toMatchObject([{ name: 'www.batch.club', comment: 'countersign abc' }]);
  await expect(
    cf.dns.records.batch({
      zone_id: zone,
      deletes: [{ id: list.result[0]!.id }],
      posts: [
        { ...A, name: 'new' },
        { ...A, name: 'new' },
      ],
    }),
  ).rejects.toMatchObject({ errors: [{ code: 81058 }] });
  expect(await names(tenant, zone)).toEqual(['A www.batch.club 192.0.2.1']);
});

test('a patch changes what it names and nothing else', async () => {
  const { cf, ...tenant } = await stand.world();
  const zone = await domainWithZone({ cf, ...tenant }, 'patch.club');
  const made = await cf.dns.records.create({ zone_id: zone, ...A, ttl: 300, comment: 'mine' });
  const wanted = { zone_id: zone, ...A, content: '192.0.2.9', ttl: 300 as const };
  await cf.dns.records.edit(made.id, wanted);
  const read = await cf.dns.records.get(made.id, { zone_id: zone });
  expect(read).toMatchObject({ content: '192.0.2.9', ttl: 300, comment: 'mine' });
});

test('a zone exists once, and only for a registered name', async () => {
  const { cf, account, ...tenant } = await stand.world();
  await domainWithZone({ cf, account, ...tenant }, 'once.club');
  const create = (name: string) => cf.zones.create({ account: { id: account }, name });
  await expect(create('once.club')).rejects.toMatchObject({ errors: [{ code: 1061 }] });
  await expect(create('nobody.club')).rejects.toMatchObject({ errors: [{ code: 1099 }] });
  await expect(create('sub.once.club')).rejects.toMatchObject({ errors: [{ code: 1116 }] });
  await tenant.person({ do: 'take-domain', domain: 'theirs.club' });
  const zone = await create('theirs.club');
  expect(zone.status).toBe('pending');
  await cf.zones.delete({ zone_id: zone.id });
  await expect(cf.zones.get({ zone_id: zone.id })).rejects.toMatchObject({ status: 403 });
});

test('a custom domain needs an active zone of the account and its Worker', async () => {
  const tenant = await stand.world();
  const { cf, account } = tenant;
  const attach = (hostname: string, service: string) =>
    cf.workers.domains.update({ account_id: account, hostname, service });
  await deploy(tenant, 'site', saying('x'));
  await expect(attach('early.club', 'site')).rejects.toMatchObject({ status: 400 });
  await tenant.person({ do: 'set-choice', name: 'zones.activation-ms', value: 60_000 });
  await cf.registrar.registrations.create({ account_id: account, domain_name: 'early.club' });
  await expect(attach('early.club', 'site')).rejects.toMatchObject({ status: 400 });
  await stand.control.clock(tenant.name, 61_000);
  await expect(attach('early.club', 'none')).rejects.toMatchObject({ errors: [{ code: 10007 }] });
  expect(await attach('early.club', 'site')).toMatchObject({ hostname: 'early.club' });
});

test('a custom domain keeps a read-only record that goes with it', async () => {
  const tenant = await stand.world();
  const { cf, account } = tenant;
  const zone = await domainWithZone(tenant, 'keeps.club');
  await deploy(tenant, 'site', saying('x'));
  const wanted = { account_id: account, hostname: 'keeps.club', service: 'site' };
  const domain = await cf.workers.domains.update(wanted);
  expect((await cf.workers.domains.update(wanted)).id).toBe(domain.id);
  const { result } = await cf.dns.records.list({ zone_id: zone });
  expect(result).toMatchObject([{ type: 'AAAA', name: 'keeps.club', meta: { read_only: true } }]);
  await expect(cf.dns.records.delete(result[0]!.id, { zone_id: zone })).rejects.toMatchObject({
    status: 400,
  });
  await cf.workers.domains.delete(domain.id, { account_id: account });
  expect(await names(tenant, zone)).toEqual([]);
  await expect(cf.workers.domains.delete(domain.id, { account_id: account })).rejects.toMatchObject(
    { errors: [{ code: 100114 }] },
  );
});

test('a hostname of another Worker is 100116 and a foreign record 100117, unless overridden', async () => {
  const tenant = await stand.world();
  const { cf, account } = tenant;
  const zone = await domainWithZone(tenant, 'held.club');
  for (const script of ['one', 'two']) await deploy(tenant, script, saying(script));
  const attach = (hostname: string, service: string, more: object = {}) =>
    cf.workers.domains.update({ account_id: account, hostname, service, ...more });
  await attach('held.club', 'one');
  await expect(attach('held.club', 'two')).rejects.toMatchObject({
    status: 409,
    errors: [{ code: 100116 }],
  });
  await tenant.person({ do: 'foreign-record', zone, record: A });
  await expect(attach('www.held.club', 'one')).rejects.toMatchObject({
    status: 409,
    errors: [{ code: 100117 }],
  });
  const over = await attach('www.held.club', 'one', { override_existing_dns_record: true });
  expect(over.service).toBe('one');
  const taken = await attach('held.club', 'two', { override_existing_origin: true });
  expect(taken.service).toBe('two');
});
