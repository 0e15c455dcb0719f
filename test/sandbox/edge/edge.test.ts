import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { FullStand, Tenant, Visit } from '../cloudflare/stand.js';
import {
  deploy,
  domainWithZone,
  saying,
  startFullStand,
  until,
  uploadFiles,
  visit,
  workerForm,
} from '../cloudflare/stand.js';

let stand: FullStand;
beforeAll(async () => {
  stand = await startFullStand();
});
afterAll(() => stand.close());

const look = (
  { name }: Tenant,
  host: string,
  path = '/',
  more: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Visit> =>
  visit(stand.running.edgeUrl, host, path, {
    ...more,
    headers: { ...more.headers, 'x-sandbox-world': name },
  });

async function attach(tenant: Tenant, domain: string, service = 'site'): Promise<void> {
  const { account, cf } = tenant;
  await cf.workers.domains.update({ account_id: account, hostname: domain, service });
  await until(
    () => look(tenant, domain),
    ({ status }) => status !== 525,
  );
}

/** A site under its custom domain, up. */
async function site(
  tenant: Tenant,
  domain: string,
  code: string | Record<string, string>,
  metadata: Record<string, unknown> = {},
): Promise<void> {
  await domainWithZone(tenant, domain);
  await deploy(tenant, 'site', code, metadata);
  await attach(tenant, domain);
}

test('a deployed Worker answers under its custom domain, and a new version with the next request', async () => {
  const tenant = await stand.world();
  await site(tenant, 'hello.club', saying('one'));
  const answer = await look(tenant, 'hello.club');
  expect(answer).toMatchObject({ status: 200, body: 'one' });
  expect(answer.headers['x-countersign-sandbox']).toBe('1');
  await deploy(tenant, 'site', saying('two'));
  expect((await look(tenant, 'hello.club')).body).toBe('two');
});

test('a host answers only with an active zone, a domain with its certificate, and a live deployment', async () => {
  const tenant = await stand.world();
  const { account, cf } = tenant;
  await tenant.person({ do: 'set-choice', name: 'certificates.issue-ms', value: 60_000 });
  expect(await look(tenant, 'gates.club')).toMatchObject({
    status: 530,
    body: 'error code: 1016',
  });
  const zone = await domainWithZone(tenant, 'gates.club');
  await deploy(tenant, 'site', saying('up'));
  expect(await look(tenant, 'gates.club')).toMatchObject({ status: 530 });
  const domain = await cf.workers.domains.update({
    account_id: account,
    hostname: 'gates.club',
    service: 'site',
    zone_id: zone,
  });
  expect(await look(tenant, 'gates.club')).toMatchObject({ status: 525 });
  await stand.control.clock(tenant.name, 60_000);
  expect(await look(tenant, 'gates.club')).toMatchObject({ status: 200, body: 'up' });
  await cf.workers.domains.delete(domain.id, { account_id: account });
  expect(await look(tenant, 'gates.club')).toMatchObject({ status: 530 });
});

test('a Worker on a domain is deleted by force only, and its domain goes with it', async () => {
  const tenant = await stand.world();
  const { account, cf } = tenant;
  await site(tenant, 'gone.club', saying('up'));
  const path = `/accounts/${account}/workers/scripts/site`;
  await expect(cf.workers.scripts.delete('site', { account_id: account })).rejects.toMatchObject({
    status: 400,
  });
  await cf.put(path, { body: workerForm({ 'index.mjs': saying('again') }) });
  expect((await look(tenant, 'gone.club')).body).toBe('again');
  await cf.workers.scripts.delete('site', { account_id: account, force: true });
  expect(await look(tenant, 'gone.club')).toMatchObject({ status: 530 });
});

test('an exception of the Worker answers 1101 and leaves other sites alone', async () => {
  const [bad, good] = [await stand.world(), await stand.world()];
  await site(bad, 'broken.club', 'export default { fetch() { throw new Error("secret"); } };');
  await site(good, 'fine.club', saying('fine'));
  const answer = await look(bad, 'broken.club');
  expect(answer).toMatchObject({ status: 500, body: 'error code: 1101' });
  expect((await look(good, 'fine.club')).body).toBe('fine');
});

test('a Worker that never yields is ended, and other sites go on', async () => {
  const [stuck, good] = [await stand.world(), await stand.world()];
  await site(good, 'patient.club', saying('here'));
  await expect(
    deploy(stuck, 'site', 'for (;;) {}\nexport default { fetch: () => new Response() };'),
  ).rejects.toMatchObject({
    status: 400,
    errors: [{ code: 10021, message: 'Script startup exceeded CPU time limit.' }],
  });
  expect((await look(good, 'patient.club')).body).toBe('here');
});

test('the Worker sees the request as the visitor made it, under https', async () => {
  const tenant = await stand.world();
  const echo = `export default { async fetch(request) {
    return Response.json({
      url: request.url, method: request.method, body: await request.text(),
      headers: [...request.headers.keys()],
    }, { status: 201, headers: [['set-cookie', 'a=1'], ['set-cookie', 'b=2']] });
  } };`;
  await site(tenant, 'echo.club', echo);
  const answer = await look(tenant, 'echo.club', '/path%20x?q=1', {
    method: 'POST',
    body: 'words',
    headers: { 'x-own': 'yes' },
  });
  expect(answer.status).toBe(201);
  expect(answer.headers['set-cookie']).toEqual(['a=1', 'b=2']);
  const seen = JSON.parse(answer.body) as { headers: string[] };
  expect(seen).toMatchObject({
    url: 'https://echo.club/path%20x?q=1',
    method: 'POST',
    body: 'words',
  });
  expect(seen.headers).toContain('x-own');
  const internal = seen.headers.filter((name) => /^x-(edge|sandbox)/.test(name));
  expect(internal).toEqual([]);
});

test('bindings reach the code, while the network and the environment of the host do not', async () => {
  const tenant = await stand.world();
  const code = `export default { async fetch(request, env) {
    const out = await fetch('${stand.running.apiUrl}/v1/customers').then((r) => r.status, () => 'blocked');
    return Response.json({ out, env, host: Object.keys(process.env).sort() });
  } };`;
  process.env['COUNTERSIGN_TEST_ONLY'] = 'of the host';
  await site(tenant, 'confined.club', code, {
    compatibility_flags: ['nodejs_compat'],
    compatibility_date: '2999-01-01',
    bindings: [
      { type: 'plain_text', name: 'GREETING', text: 'hi' },
      { type: 'json', name: 'SETTINGS', json: { a: 1 } },
      { type: 'secret_text', name: 'KEY', text: 'secret' },
    ],
  });
  const answer = await look(tenant, 'confined.club');
  Reflect.deleteProperty(process.env, 'COUNTERSIGN_TEST_ONLY');
  const seen = JSON.parse(answer.body) as { host: string[] };
  expect(seen).toMatchObject({
    out: 'blocked',
    env: { GREETING: 'hi', SETTINGS: { a: 1 }, KEY: 'secret' },
  });
  expect(seen.host).not.toContain('COUNTERSIGN_TEST_ONLY');
  expect(seen.host).not.toContain('PATH');
});

const HTML = 'text/html; charset=utf-8';

test('static files are served by their paths before the code, and to the code by its binding', async () => {
  const tenant = await stand.world();
  const jwt = await uploadFiles(tenant, 'site', {
    '/index.html': { text: '<p>home</p>', type: HTML },
    '/about.html': { text: '<p>about</p>', type: HTML },
    '/docs/index.html': { text: '<p>docs</p>', type: HTML },
    '/app.css': { text: 'p{}', type: 'text/css' },
  });
  const code = `export default { async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === '/via') return env.ASSETS.fetch(new URL('/app.css', request.url));
    if (pathname === '/via-missing') return env.ASSETS.fetch(new URL('/no.css', request.url));
    return new Response('from the code ' + pathname);
  } };`;
  await site(tenant, 'files.club', code, {
    bindings: [{ type: 'assets', name: 'ASSETS' }],
    assets: { jwt, config: {} },
  });
  const at = (path: string) => look(tenant, 'files.club', path);
  expect(await at('/')).toMatchObject({ status: 200, body: '<p>home</p>' });
  expect((await at('/')).headers['content-type']).toBe(HTML);
  expect(await at('/about')).toMatchObject({ status: 200, body: '<p>about</p>' });
  expect(await at('/docs/')).toMatchObject({ status: 200, body: '<p>docs</p>' });
  for (const [from, to] of [
    ['/index.html', '/'],
    ['/about.html', '/about'],
    ['/about/', '/about'],
    ['/docs', '/docs/'],
  ] as const) {
    const moved = await at(from);
    expect([from, moved.status, moved.headers['location']]).toEqual([from, 307, to]);
  }
  expect(await at('/other')).toMatchObject({ status: 200, body: 'from the code /other' });
  expect(await at('/via')).toMatchObject({ status: 200, body: 'p{}' });
  expect((await at('/via')).headers['content-type']).toBe('text/css');
  expect((await at('/via-missing')).status).toBe(404);
  const etag = String((await at('/')).headers['etag']);
  const again = await look(tenant, 'files.club', '/', { headers: { 'if-none-match': etag } });
  expect(again).toMatchObject({ status: 304, body: '' });
});

test('a site of files alone answers 404 for what it does not hold, by its own page if it has one', async () => {
  const tenant = await stand.world();
  const files = {
    '/index.html': { text: 'home', type: HTML },
    '/404.html': { text: 'not here', type: HTML },
  };
  const form = (assets: Record<string, unknown>): FormData => {
    const made = new FormData();
    const metadata = { compatibility_date: '2026-04-01', assets };
    made.append('metadata', new Blob([JSON.stringify(metadata)], { type: 'application/json' }));
    return made;
  };
  const path = `/accounts/${tenant.account}/workers/scripts/site`;
  const jwt = await uploadFiles(tenant, 'site', files);
  await tenant.cf.put(path, { body: form({ jwt }) });
  await domainWithZone(tenant, 'static.club');
  await attach(tenant, 'static.club');
  expect(await look(tenant, 'static.club', '/none')).toMatchObject({ status: 404, body: '' });
  expect(await look(tenant, 'static.club', '/', { method: 'POST' })).toMatchObject({
    status: 405,
  });
  const config = { not_found_handling: '404-page' };
  const jwtAgain = await uploadFiles(tenant, 'site', files);
  await tenant.cf.put(path, { body: form({ jwt: jwtAgain, config }) });
  expect(await look(tenant, 'static.club', '/a/b')).toMatchObject({
    status: 404,
    body: 'not here',
  });
});

test('going back to the former version serves the former site', async () => {
  const tenant = await stand.world();
  const { account, cf } = tenant;
  await site(tenant, 'back.club', saying('first'));
  const before = await cf.workers.scripts.deployments.list('site', { account_id: account });
  await deploy(tenant, 'site', saying('second'));
  expect((await look(tenant, 'back.club')).body).toBe('second');
  const { deployments } = before.result as unknown as {
    deployments: { versions: { version_id: string }[] }[];
  };
  const [version] = deployments[0]!.versions;
  await cf.workers.scripts.deployments.create('site', {
    account_id: account,
    strategy: 'percentage',
    versions: [{ version_id: version!.version_id, percentage: 100 }],
  });
  expect((await look(tenant, 'back.club')).body).toBe('first');
});

test('an old version is served until the new one has spread', async () => {
  const tenant = await stand.world();
  await site(tenant, 'slow.club', saying('old'));
  await tenant.person({ do: 'set-choice', name: 'edge.spread-ms', value: 30_000 });
  await stand.control.clock(tenant.name, 31_000);
  await deploy(tenant, 'site', saying('new'));
  expect((await look(tenant, 'slow.club')).body).toBe('old');
  await stand.control.clock(tenant.name, 31_000);
  expect((await look(tenant, 'slow.club')).body).toBe('new');
});

test('the same host lives in several worlds, each with its own site', async () => {
  const [one, two] = [await stand.world(), await stand.world()];
  await site(one, 'shared.club', saying('one'));
  expect((await visit(stand.running.edgeUrl, 'shared.club')).body).toBe('one');
  await site(two, 'shared.club', saying('two'));
  expect((await look(one, 'shared.club')).body).toBe('one');
  expect((await look(two, 'shared.club')).body).toBe('two');
  expect((await visit(stand.running.edgeUrl, 'shared.club')).status).toBe(530);
});

test('two versions share the traffic as the deployment says', async () => {
  const tenant = await stand.world();
  const { account, cf } = tenant;
  await site(tenant, 'split.club', saying('a'));
  await deploy(tenant, 'site', saying('b'));
  const listed = await cf.workers.scripts.versions.list('site', { account_id: account });
  const [b, a] = (listed.result as unknown as { items: { id: string }[] }).items;
  const share = (first: number) =>
    cf.workers.scripts.deployments.create('site', {
      account_id: account,
      strategy: 'percentage',
      versions: [
        { version_id: a!.id, percentage: first },
        { version_id: b!.id, percentage: 60 },
      ],
    });
  await expect(share(50)).rejects.toMatchObject({ status: 400, errors: [{ code: 10336 }] });
  await share(40);
  const seen = new Set<string>();
  await until(
    async () => seen.add((await look(tenant, 'split.club')).body),
    ({ size }) => size === 2,
  );
});

test('a runtime that dies is started anew', async () => {
  const tenant = await stand.world();
  await site(tenant, 'again.club', saying('alive'));
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim();
  const [runtime] = children
    .split(' ')
    .filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('workerd'));
  process.kill(Number(runtime), 'SIGKILL');
  await until(
    () => look(tenant, 'again.club'),
    ({ body }) => body === 'alive',
  );
  const after = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ');
  expect(after).not.toContain(runtime);
});
