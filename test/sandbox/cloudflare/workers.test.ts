import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { FullStand, Tenant } from './stand.js';
import { deploy, saying, startFullStand, uploadFiles, workerForm } from './stand.js';

let stand: FullStand;
beforeAll(async () => {
  stand = await startFullStand();
});
afterAll(() => stand.close());

const deployments = async ({ cf, account }: Tenant, script: string) => {
  const page = await cf.workers.scripts.deployments.list(script, { account_id: account });
  return (
    page.result as unknown as { deployments: { id: string; versions: { version_id: string }[] }[] }
  ).deployments;
};

test('the form that the typed call sends is refused as the real service refuses it', async () => {
  const { cf, account } = await stand.world();
  const file = new File([saying('x')], 'index.mjs', { type: 'application/javascript+module' });
  await expect(
    cf.workers.scripts.update('site', {
      account_id: account,
      metadata: { main_module: 'index.mjs' },
      files: [file],
    }),
  ).rejects.toMatchObject({
    status: 400,
    errors: [{ code: 10021, message: expect.stringContaining('worker.js:1:4') }],
  });
});

test('bracketed metadata in a proper multipart body is refused too', async () => {
  const { cf, account } = await stand.world();
  const form = new FormData();
  form.append('metadata[main_module]', 'index.mjs');
  form.append('files[]', new File([saying('x')], 'index.mjs'));
  await expect(
    cf.put(`/accounts/${account}/workers/scripts/site`, { body: form }),
  ).rejects.toMatchObject({
    errors: [{ code: 10021, message: 'could not read content for part metadata' }],
  });
});

test.each([
  ['a syntax error', 'export default {', /SyntaxError/],
  ['a throw at the top', 'throw new Error("boom"); export default {};', /boom/],
  ['a missing module', 'import "./none.mjs"; export default { fetch() {} };', /No such module/],
  ['no handler', 'export const a = 1;', /No event handlers/],
])('%s is found by really starting the code, and nothing is deployed', async (_, code, message) => {
  const tenant = await stand.world();
  await expect(deploy(tenant, 'site', code)).rejects.toMatchObject({
    status: 400,
    errors: [{ code: 10021, message: expect.stringMatching(message) }],
  });
  await expect(deployments(tenant, 'site')).rejects.toMatchObject({ errors: [{ code: 10007 }] });
});

test('several modules of several kinds are one Worker', async () => {
  const tenant = await stand.world();
  const code = {
    'index.mjs': `import { words } from './lib/words.mjs'; export default { fetch: () => new Response(words) };`,
    'lib/words.mjs': `export const words = 'hello';`,
  };
  expect(await deploy(tenant, 'site', code)).toMatchObject({
    success: true,
    result: { id: 'site', handlers: ['fetch'], has_modules: true },
  });
});

test('a binding to what is not there is refused with its number', async () => {
  const tenant = await stand.world();
  for (const [type, code] of [
    ['kv_namespace', 10041],
    ['r2_bucket', 10085],
    ['d1', 10181],
    ['service', 10144],
  ] as const)
    await expect(
      deploy(tenant, 'site', saying('x'), { bindings: [{ type, name: 'B' }] }),
    ).rejects.toMatchObject({ errors: [{ code }] });
});

test('a version bears its tag and message, and a secret is carried over but never shown', async () => {
  const tenant = await stand.world();
  const { cf, account } = tenant;
  await deploy(tenant, 'site', saying('one'), {
    bindings: [{ type: 'secret_text', name: 'KEY', text: 'hidden words' }],
  });
  await deploy(tenant, 'site', saying('two'), {
    annotations: { 'workers/tag': 'marker', 'workers/message': 'sha256:abc' },
    keep_bindings: ['secret_text'],
  });
  const [live, former] = await deployments(tenant, 'site');
  expect(former).toBeDefined();
  const version = await cf.workers.scripts.versions.get(live!.versions[0]!.version_id, {
    account_id: account,
    script_name: 'site',
  });
  expect(version).toMatchObject({
    annotations: { 'workers/tag': 'marker', 'workers/message': 'sha256:abc' },
    resources: { bindings: [{ type: 'secret_text', name: 'KEY' }] },
  });
  expect(JSON.stringify(version)).not.toContain('hidden words');
});

test('the live deployment cannot be deleted, and a former one can', async () => {
  const tenant = await stand.world();
  const { cf, account } = tenant;
  for (const words of ['one', 'two']) await deploy(tenant, 'site', saying(words));
  const [live, former] = await deployments(tenant, 'site');
  const remove = (id: string) =>
    cf.workers.scripts.deployments.delete(id, { account_id: account, script_name: 'site' });
  await expect(remove(live!.id)).rejects.toMatchObject({ status: 400 });
  await remove(former!.id);
  expect(await deployments(tenant, 'site')).toHaveLength(1);
});

test('a version that was uploaded is not live until it is deployed', async () => {
  const tenant = await stand.world();
  const { cf, account } = tenant;
  await deploy(tenant, 'site', saying('one'));
  await cf.post(`/accounts/${account}/workers/scripts/site/versions`, {
    body: workerForm({ 'index.mjs': saying('two') }),
  });
  expect(await deployments(tenant, 'site')).toHaveLength(1);
});

test('two deletes at once in an account: the second fails', async () => {
  const tenant = await stand.world();
  const { cf, account } = tenant;
  for (const script of ['one', 'two']) await deploy(tenant, script, saying(script));
  await tenant.person({ do: 'set-choice', name: 'workers.delete-ms', value: 300 });
  const outcomes = await Promise.allSettled(
    ['one', 'two'].map((script) => cf.workers.scripts.delete(script, { account_id: account })),
  );
  const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
  expect(refused).toMatchObject([{ reason: { status: 500, errors: [{ code: 10013 }] } }]);
});

test('files are asked for once, in buckets, and the last answers 201 with the token of the whole', async () => {
  const tenant = await stand.world();
  const { cf, account, person } = tenant;
  await person({ do: 'set-choice', name: 'assets.bucket-size', value: 1 });
  const files = { '/a.txt': { text: 'a', type: 'text/plain' }, '/b.txt': { text: 'b', type: '' } };
  await uploadFiles(tenant, 'site', files);
  const { requests } = await stand.control.truth(tenant.name);
  const uploads = requests.filter(({ path }) => path.endsWith('/assets/upload'));
  expect(uploads.map(({ status }) => status)).toEqual([202, 201]);
  const session = await cf.workers.scripts.assets.upload.create('site', {
    account_id: account,
    manifest: {},
  });
  expect(session.buckets).toEqual([]);
});

test('an upload token is worth nothing elsewhere, and a completion token only for its Worker', async () => {
  const tenant = await stand.world();
  const jwt = await uploadFiles(tenant, 'site', { '/a.txt': { text: 'a', type: 'text/plain' } });
  const metadata = { bindings: [{ type: 'assets', name: 'ASSETS' }], assets: { jwt } };
  await expect(deploy(tenant, 'other', saying('x'), metadata)).rejects.toMatchObject({
    errors: [{ code: 10021 }],
  });
  await expect(
    tenant.cf.accounts.list({}, { headers: { authorization: `Bearer ${jwt}` } }),
  ).rejects.toMatchObject({ status: 401 });
  await stand.control.clock(tenant.name, 3_601_000);
  await expect(deploy(tenant, 'site', saying('x'), metadata)).rejects.toMatchObject({
    errors: [{ code: 10021 }],
  });
});
