import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { FullStand, Tenant } from '../cloudflare/stand.js';
import {
  deploy,
  domainWithZone,
  saying,
  startFullStand,
  until,
  uploadFiles,
  visit,
} from '../cloudflare/stand.js';

let stand: FullStand;
beforeAll(async () => {
  stand = await startFullStand();
});
afterAll(() => stand.close());

const look = ({ name }: Tenant, host: string, path = '/') =>
  visit(stand.running.edgeUrl, host, path, { headers: { 'x-sandbox-world': name } });

async function attach(tenant: Tenant, hostname: string): Promise<void> {
  const { cf, account } = tenant;
  await cf.workers.domains.update({ account_id: account, hostname, service: 'site' });
  await until(
    () => look(tenant, hostname),
    ({ status }) => status !== 525,
  );
}

/** A site with a file, whose code answers everything else. */
async function siteWithFile(tenant: Tenant, domain: string): Promise<void> {
  await domainWithZone(tenant, domain);
  const jwt = await uploadFiles(tenant, 'site', {
    '/kept.txt': { text: 'a file', type: 'text/plain' },
  });
  await deploy(tenant, 'site', saying('one'), { assets: { jwt } });
  await attach(tenant, domain);
}

test('files are kept by a deploy that says so, while its code is new', async () => {
  const tenant = await stand.world();
  await siteWithFile(tenant, 'kept.club');
  await deploy(tenant, 'site', saying('two'), { keep_assets: true });
  expect((await look(tenant, 'kept.club', '/kept.txt')).body).toBe('a file');
  expect((await look(tenant, 'kept.club')).body).toBe('two');
});

test('files are gone with a deploy that neither keeps nor names them', async () => {
  const tenant = await stand.world();
  await siteWithFile(tenant, 'gone.club');
  await deploy(tenant, 'site', saying('two'));
  expect((await look(tenant, 'gone.club', '/kept.txt')).body).toBe('two');
});

test('a secret is carried over to the next version when its type is kept, and not otherwise', async () => {
  const tenant = await stand.world();
  const telling = `export default { fetch: (request, env) => new Response(env.KEY ?? 'none') };`;
  await domainWithZone(tenant, 'secret.club');
  await deploy(tenant, 'site', telling, {
    bindings: [{ type: 'secret_text', name: 'KEY', text: 'words' }],
  });
  await attach(tenant, 'secret.club');
  await deploy(tenant, 'site', telling, { keep_bindings: ['secret_text'] });
  expect((await look(tenant, 'secret.club')).body).toBe('words');
  await deploy(tenant, 'site', telling);
  expect((await look(tenant, 'secret.club')).body).toBe('none');
});

test('an address below workers.dev belongs to one account, and a Worker’s is on or off', async () => {
  const { cf, account, ...rest } = await stand.world();
  await deploy({ cf, account, ...rest }, 'site', saying('up'));
  const at = { account_id: account };
  await expect(cf.workers.subdomains.get(at)).rejects.toMatchObject({ status: 404 });
  await cf.workers.subdomains.update({ ...at, subdomain: 'acme' });
  expect(await cf.workers.subdomains.get(at)).toEqual({ subdomain: 'acme' });
  const other = await cf.accounts.create(
    { name: 'Other', standalone: true },
    { headers: { 'idempotency-key': 'other' } },
  );
  await expect(
    cf.workers.subdomains.update({ account_id: other.id, subdomain: 'acme' }),
  ).rejects.toMatchObject({ status: 409, errors: [{ code: 10036 }] });
  const own = cf.workers.scripts.subdomain;
  expect(await own.create('site', { ...at, enabled: true })).toMatchObject({ enabled: true });
  await own.delete('site', at);
  expect(await own.get('site', at)).toMatchObject({ enabled: false, previews_enabled: false });
});
