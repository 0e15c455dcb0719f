import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { attachDomain, detachDomain } from '../../../activities/cloudflare/attach-domain.js';
import { configureDns, removeDnsRecords } from '../../../activities/cloudflare/configure-dns.js';
import { deploySite, restoreSite } from '../../../activities/cloudflare/deploy-site.js';
import { createAccount, linkAccount } from '../../../activities/cloudflare/link-account.js';
import { cloudflareReaders } from '../../../activities/cloudflare/readers.js';
import {
  disableAutoRenew,
  registerDomain,
} from '../../../activities/cloudflare/register-domain.js';
import { BUNDLE_ENTRY, BUNDLE_PUBLIC } from '../../../domain/bundle.js';
import type { Operation, OperationContext, SiteFile } from '../../../gateway/operation.js';
import type { FullStand, Tenant } from './stand.js';
import { saying, startFullStand, until, visit } from './stand.js';

let stand: FullStand;
beforeAll(async () => {
  stand = await startFullStand();
});
afterAll(() => stand.close());

const fileOf = (path: string, words: string): SiteFile => ({
  path,
  bytes: new Uint8Array(Buffer.from(words)),
  sha256: `sha256:${createHash('sha256').update(words).digest('hex')}`,
});

const siteOf = (words: string): readonly SiteFile[] => [
  fileOf(BUNDLE_ENTRY, saying(words)),
  fileOf(`${BUNDLE_PUBLIC}index.html`, `<p>${words}</p>`),
];

const contextOf = (
  { cf, account }: Tenant,
  marker: string,
  words = 'site',
): OperationContext<'cloudflare'> => ({
  client: cf,
  account,
  marker,
  key: `key-${marker}`,
  bundle: () => Promise.resolve(siteOf(words)),
  costMaxMinor: 1120,
});

const MARKER = 'ef_0123456789abcdef0123456789abcdef';

/** Absent before; then checked, sent once, and found again. */
async function forward<In>(
  ctx: OperationContext<'cloudflare'>,
  operation: Operation<'cloudflare', In>,
  params: In,
) {
  expect(await operation.find(ctx, params)).toEqual({ kind: 'absent' });
  await operation.check?.(ctx, params);
  await operation.send(ctx, params);
  const found = await until(
    () => operation.find(ctx, params),
    ({ kind }) => kind === 'found',
  );
  if (found.kind !== 'found') throw new Error(found.kind);
  return found;
}

test('every operation and its reversal do at the stand-in what their steps rely on', async () => {
  const tenant = await stand.world();
  const ctx = contextOf(tenant, MARKER);
  const { cf, account, name } = tenant;
  const made = await forward(ctx, createAccount, {
    name: 'Acme',
    standalone: true as const,
  });
  const link = { accountId: made.object, owner: 'Integration@sandbox.invalid' };
  expect(await linkAccount.find(ctx, link)).toMatchObject({ kind: 'found' });
  expect(await linkAccount.find(ctx, { ...link, owner: 'other@example.com' })).toEqual({
    kind: 'absent',
  });
  expect(await cloudflareReaders.account(cf, made.object)).toMatchObject({
    acceptedMembers: ['integration@sandbox.invalid'],
  });
  expect(await cloudflareReaders.hasBilling(cf, made.object)).toBe(true);

  const registration = {
    domain_name: 'steps.club',
    years: 1,
    auto_renew: false,
    privacy_mode: 'redaction',
  } as const;
  const domain = await forward(ctx, registerDomain, registration);
  const zone = await until(
    () => cloudflareReaders.zoneId(cf, account, 'steps.club'),
    (id) => id !== undefined,
  );
  const dns = {
    zone: zone!,
    records: [{ type: 'TXT' as const, name: 'steps.club', content: 'v=1', ttl: 1 }],
  };
  const records = await forward(ctx, configureDns, dns);
  const deployed = { script: 'site', bundle: 'sha256:one', compatibility_date: '2026-04-01' };
  const site = await forward(ctx, deploySite, deployed);
  const attached = { hostname: 'steps.club', service: 'site', zone_name: 'steps.club' };
  const led = await forward(ctx, attachDomain, attached);
  const look = (path: string) =>
    visit(stand.running.edgeUrl, 'steps.club', path, { headers: { 'x-sandbox-world': name } });
  await until(
    () => look('/'),
    ({ body }) => body === '<p>site</p>',
  );
  expect((await look('/code')).body).toBe('site');

  await detachDomain.reverse(ctx, attached, led);
  await restoreSite.inspect(ctx, deployed, site);
  await restoreSite.reverse(ctx, deployed, site);
  await removeDnsRecords.inspect(ctx, dns, records);
  await removeDnsRecords.reverse(ctx, dns, records);
  await disableAutoRenew.reverse(ctx, registration, domain);
  const after = [
    await detachDomain.readBack(ctx, attached, led),
    await restoreSite.readBack(ctx, deployed, site),
    await removeDnsRecords.readBack(ctx, dns, records),
    await disableAutoRenew.readBack(ctx, registration, domain),
  ];
  expect(after.map(({ done }) => done)).toEqual([true, true, true, true]);
  const truth = await stand.control.truth(name);
  expect(truth.unknownRoutes).toEqual([]);
  expect(truth.living.map(({ kind }) => kind).sort()).toEqual(
    ['account', 'account', 'member', 'member', 'registration', 'zone'].sort(),
  );
});

test('a second deploy is taken back to the first one', async () => {
  const tenant = await stand.world();
  const [one, two] = [contextOf(tenant, 'ef_one', 'one'), contextOf(tenant, 'ef_two', 'two')];
  const params = { script: 'site', bundle: 'sha256:one', compatibility_date: '2026-04-01' };
  await forward(one, deploySite, params);
  const before = await cloudflareReaders.liveScript(tenant.cf, tenant.account, 'site');
  expect(before).toMatchObject({ marker: 'ef_one', bundle: 'sha256:one' });
  const again = { ...params, previousVersion: before!.versionId };
  const made = await forward(two, deploySite, again);
  await restoreSite.reverse(two, again, made);
  expect(await restoreSite.readBack(two, again, made)).toMatchObject({ done: true });
});

test('a price that has risen since the approval is seen before the request', async () => {
  const tenant = await stand.world();
  await tenant.person({ do: 'set-domain-price', domain: 'dear.club', registrationMinor: 1121 });
  const check = registerDomain.check!(contextOf(tenant, MARKER), {
    domain_name: 'dear.club',
    years: 1,
    auto_renew: false,
    privacy_mode: 'redaction',
  });
  await expect(check).rejects.toMatchObject({ code: 'GRANT_VOID' });
});
