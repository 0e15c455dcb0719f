import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import type { ValidateFunction } from 'ajv';
import Cloudflare from 'cloudflare';
import type { FullStand, Tenant } from './stand.js';
import { deploy, domainWithZone, saying, startFullStand, uploadFiles } from './stand.js';

const SCHEMAS = join(process.cwd(), 'test/vectors/cloudflare-schemas');

interface Contract {
  readonly method: string;
  readonly path: RegExp;
  readonly answer: string;
  readonly request?: string;
  /** Where in the result the thing stands; each of a list is looked at. */
  readonly at?: (result: never) => unknown;
}

const contract = (
  method: string,
  path: string,
  answer: string,
  more: Pick<Contract, 'request' | 'at'> = {},
): Contract => ({
  method,
  path: new RegExp(`^/client/v4${path.replaceAll('*', '[^/]+')}$`),
  answer,
  ...more,
});
const SCRIPT = '/accounts/*/workers/scripts/*';
const CONTRACTS: readonly Contract[] = [
  contract('POST', '/accounts', 'Account', { request: 'AccountCreateParams' }),
  contract('GET', '/accounts', 'Account'),
  contract('GET', '/accounts/*', 'Account'),
  contract('GET', '/accounts/*/members', 'Member'),
  contract('POST', '/accounts/*/tokens', 'TokenCreateResponse', { request: 'TokenCreateParams' }),
  contract('GET', '/accounts/*/payment-methods', 'PaymentMethodListResponse'),
  contract('POST', '/accounts/*/subscriptions', 'Subscription'),
  contract('POST', '/accounts/*/registrar/domain-check', 'RegistrarCheckResponse'),
  contract('POST', '/accounts/*/registrar/registrations', 'WorkflowStatus', {
    request: 'RegistrationCreateParams',
  }),
  contract('GET', '/accounts/*/registrar/registrations/*', 'Registration'),
  contract('GET', '/accounts/*/registrar/registrations/*/registration-status', 'WorkflowStatus'),
  contract('PATCH', '/accounts/*/registrar/registrations/*', 'WorkflowStatus', {
    request: 'RegistrationEditParams',
  }),
  contract('GET', '/zones', 'Zone'),
  contract('POST', '/zones/*/dns_records/batch', 'RecordResponse', {
    request: 'RecordBatchParams',
    at: ({ posts }: { posts: unknown }) => posts,
  }),
  contract('GET', '/zones/*/dns_records', 'RecordResponse'),
  contract('POST', `${SCRIPT}/assets-upload-session`, 'UploadCreateResponse', {
    request: 'UploadCreateParams',
  }),
  contract('PUT', SCRIPT, 'ScriptUpdateResponse'),
  contract('GET', `${SCRIPT}/versions/*`, 'VersionGetResponse'),
  contract('GET', `${SCRIPT}/deployments`, 'Deployment', {
    at: ({ deployments }: { deployments: unknown }) => deployments,
  }),
  contract('POST', `${SCRIPT}/deployments`, 'Deployment', { request: 'DeploymentCreateParams' }),
  contract('PUT', '/accounts/*/workers/domains', 'DomainUpdateResponse', {
    request: 'DomainUpdateParams',
  }),
  contract('GET', '/accounts/*/workers/domains', 'DomainListResponse'),
];

interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly body: string | undefined;
  readonly result: unknown;
}

let stand: FullStand;
beforeAll(async () => {
  stand = await startFullStand();
});
afterAll(() => stand.close());

/** The tenant with a client that notes what went over the wire. */
function noting({ credentials, ...tenant }: Tenant, into: Exchange[]): Tenant {
  const cf = new Cloudflare({
    apiToken: credentials.cloudflare.actions,
    baseURL: `${stand.running.apiUrl}/client/v4`,
    maxRetries: 0,
    fetch: async (input, init = {}) => {
      const answer = await fetch(input, {
        ...init,
        headers: { ...Object.fromEntries(new Headers(init.headers)), connection: 'close' },
      });
      const { result } = (await answer.clone().json()) as { result: unknown };
      const url = input instanceof Request ? input.url : String(input);
      const body = typeof init.body === 'string' ? init.body : undefined;
      into.push({ method: init.method ?? 'GET', path: new URL(url).pathname, body, result });
      return answer;
    },
  });
  return { ...tenant, credentials, cf };
}

/** Every call that our steps and reversals make, and a few that a person would. */
async function exerciseAll({ cf, account, ...rest }: Tenant): Promise<void> {
  const tenant = { cf, account, ...rest };
  const account_id = account;
  await cf.accounts.create({ name: 'Two', standalone: true, 'Idempotency-Key': 'two' });
  await cf.accounts.list();
  await cf.accounts.get({ account_id });
  await cf.accounts.members.list({ account_id });
  await cf.accounts.paymentMethods.list({ account_id });
  await cf.accounts.subscriptions.create({ account_id, rate_plan: { id: 'pro' } });
  const groups = await cf.accounts.tokens.permissionGroups.list({ account_id });
  const resources = { [`com.cloudflare.api.account.${account}`]: '*' };
  const permission_groups = [{ id: groups.result[0]!.id! }];
  const policies = [{ effect: 'allow' as const, permission_groups, resources }];
  await cf.accounts.tokens.create({ account_id, name: 'step', policies });
  await cf.registrar.check({ account_id, domains: ['schema.club', 'x.cc', 'premium-a.com'] });
  const zone_id = await domainWithZone(tenant, 'schema.club');
  await cf.registrar.registrationStatus.get('schema.club', { account_id });
  await cf.registrar.registrations.get('schema.club', { account_id });
  await cf.registrar.registrations.edit('schema.club', { account_id, auto_renew: true });
  const posts = [
    { type: 'TXT' as const, name: '@', content: 'v=1', ttl: 1 as const, comment: 'countersign' },
    { type: 'MX' as const, name: '@', content: 'mx.example', ttl: 300 as const, priority: 1 },
  ];
  await cf.dns.records.batch({ zone_id, posts });
  await cf.dns.records.list({ zone_id });
  const jwt = await uploadFiles(tenant, 'site', { '/a.txt': { text: 'a', type: 'text/plain' } });
  await deploy(tenant, 'site', saying('x'), {
    bindings: [{ type: 'assets', name: 'ASSETS' }],
    assets: { jwt },
    annotations: { 'workers/tag': 'marker' },
  });
  const page = await cf.workers.scripts.deployments.list('site', { account_id });
  const { deployments } = page.result as unknown as {
    deployments: { versions: { version_id: string; percentage: number }[] }[];
  };
  const { versions } = deployments[0]!;
  await cf.workers.scripts.versions.get(versions[0]!.version_id, {
    account_id,
    script_name: 'site',
  });
  await cf.workers.scripts.deployments.create('site', {
    account_id,
    strategy: 'percentage',
    versions,
  });
  await cf.workers.domains.update({ account_id, hostname: 'schema.club', service: 'site' });
  await cf.workers.domains.list({ account_id });
}

const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
const read = (name: string): object =>
  JSON.parse(readFileSync(join(SCHEMAS, `${name}.json`), 'utf8')) as object;
const validators = new Map<string, ValidateFunction>();

/** What does not fit a type of the package. */
function misfits(type: string, thing: unknown): string[] {
  const validate = validators.get(type) ?? ajv.compile(read(type));
  validators.set(type, validate);
  if (validate(thing)) return [];
  return (validate.errors ?? [])
    .map(({ instancePath, message }) => `${type}${instancePath} ${message ?? ''}`)
    .filter((misfit) => misfit !== LIST_OF_BINDINGS);
}

/** The package types this list as an interface without members, which an array fits and its schema does not. */
const LIST_OF_BINDINGS = 'VersionGetResponse/resources/bindings must be object';

/** These travel in the path, while the package's types hold them beside the body. */
const IN_PATH = { account_id: '', zone_id: '' };

function faultsOf({ body, result }: Exchange, { answer, request, at }: Contract): string[] {
  const found = at === undefined ? result : at(result as never);
  const things: unknown[] = Array.isArray(found) ? found : [found];
  const sent = JSON.parse(body ?? '{}') as object;
  return [
    ...things.flatMap((thing) => misfits(answer, thing)),
    ...(request === undefined ? [] : misfits(request, { ...IN_PATH, ...sent })),
  ];
}

test('every answer has the shape of the package, and so has every request of ours', async () => {
  const exchanges: Exchange[] = [];
  await exerciseAll(noting(await stand.world(), exchanges));
  const unseen: string[] = [];
  const faults = CONTRACTS.flatMap((rule) => {
    const matching = exchanges.filter(
      ({ method, path }) => method.toUpperCase() === rule.method && rule.path.test(path),
    );
    if (matching.length === 0) unseen.push(`${rule.method} ${rule.path.source}`);
    return matching.flatMap((exchange) => faultsOf(exchange, rule));
  });
  expect(unseen).toEqual([]);
  expect(faults).toEqual([]);
});

test('a wrong answer does not pass, and neither does a wrong request', () => {
  const wrong = { method: 'POST', path: '/x', body: '{"years":"1"}', result: { state: 'done' } };
  const rule = CONTRACTS.find(({ request }) => request === 'RegistrationCreateParams')!;
  const faults = faultsOf(wrong, rule);
  expect(faults).toContain("WorkflowStatus must have required property 'completed'");
  expect(faults).toContain("RegistrationCreateParams must have required property 'domain_name'");
});

test('the schemas are those of the package that is installed', () => {
  const installed = JSON.parse(
    readFileSync(join(process.cwd(), 'node_modules/cloudflare/package.json'), 'utf8'),
  ) as { version: string };
  expect(read('version')).toEqual({ name: 'cloudflare', version: installed.version });
  const used = CONTRACTS.flatMap(({ answer, request }) => [answer, request ?? answer, 'version']);
  const files = readdirSync(SCHEMAS).map((file) => file.replace('.json', ''));
  expect(files.sort()).toEqual([...new Set(used)].sort());
  execFileSync(process.execPath, [
    'scripts/cloudflare-schemas.mjs',
    '--check',
    'registrar/registrar',
  ]);
});
