import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Ajv } from 'ajv';
import type { Truth } from '../../sandbox/control-client.js';

const SCHEMAS = resolve(import.meta.dirname, '../vectors/cloudflare-schemas');

/** Which type of the package a request's body is of; requests that carry none are listed as such. */
const BODIES: readonly (readonly [string, string, string | undefined])[] = [
  ['POST', '/accounts', 'AccountCreateParams'],
  ['POST', '/accounts/*/tokens', 'TokenCreateParams'],
  ['DELETE', '/accounts/*/tokens/*', undefined],
  ['POST', '/accounts/*/registrar/registrations', 'RegistrationCreateParams'],
  ['PATCH', '/accounts/*/registrar/registrations/*', 'RegistrationEditParams'],
  ['POST', '/zones/*/dns_records/batch', 'RecordBatchParams'],
  ['POST', '/accounts/*/workers/scripts/*/assets-upload-session', 'UploadCreateParams'],
  ['POST', '/accounts/*/workers/scripts/*/deployments', 'DeploymentCreateParams'],
  ['PUT', '/accounts/*/workers/domains', 'DomainUpdateParams'],
  ['DELETE', '/accounts/*/workers/domains/*', undefined],
  ['DELETE', '/accounts/*/workers/scripts/*', undefined],
];
/** Multipart, or read by the stand-in by rules of its own: not described by a type of the package. */
const ELSEWHERE = [
  /\/workers\/scripts\/[^/]+$/,
  /\/workers\/assets\/upload$/,
  /\/registrar\/domain-check$/,
];
/** These travel in the path, while the package's types hold them beside the body. */
const BESIDE = { account_id: '', zone_id: '' };

interface Schema {
  readonly $ref?: string;
  readonly definitions?: Readonly<Record<string, Schema>>;
  readonly properties?: Readonly<Record<string, unknown>>;
}

const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });

/** What of a body does not fit the type: wrong or missing members, and such as the type does not know. */
export function misfits(type: string, body: object): string[] {
  const schema = JSON.parse(readFileSync(join(SCHEMAS, `${type}.json`), 'utf8')) as Schema;
  const validate = ajv.compile(schema);
  validate({ ...BESIDE, ...body });
  const { properties = {} } =
    schema.definitions?.[schema.$ref?.replace('#/definitions/', '') ?? ''] ?? schema;
  return [
    ...(validate.errors ?? []).map(
      ({ instancePath, message }) => `${type}${instancePath} ${message ?? ''}`,
    ),
    ...Object.keys(body)
      .filter((name) => !Object.hasOwn(properties, name))
      .map((name) => `${type} knows no ${name}`),
  ];
}

type Request = Truth['requests'][number];

const glob = (path: string): RegExp => new RegExp(`^/client/v4${path.replaceAll('*', '[^/]+')}$`);

/** Faults of every change that was asked of Cloudflare, and how many were looked at by type. */
export function faultsOfChanges(requests: readonly Request[]): {
  readonly faults: readonly string[];
  readonly types: readonly string[];
} {
  const faults: string[] = [];
  const types = new Set<string>();
  for (const { provider, method, path, body } of requests) {
    if (provider !== 'cloudflare' || method === 'GET') continue;
    const known = BODIES.find(([verb, form]) => verb === method && glob(form).test(path));
    if (known === undefined) {
      if (!ELSEWHERE.some((form) => form.test(path))) faults.push(`no type for ${method} ${path}`);
      continue;
    }
    const type = known[2];
    if (type === undefined) {
      if (body !== '') faults.push(`${method} ${path} carries a body`);
      continue;
    }
    types.add(type);
    faults.push(...misfits(type, JSON.parse(body) as object).map((fault) => `${path}: ${fault}`));
  }
  return { faults, types: [...types].sort() };
}
