// Writes JSON Schemas of the `cloudflare` package's own types to test/vectors/cloudflare-schemas: what the stand-in's
// answers and our requests are held to. With --check it writes nothing and fails if they differ from the package. A
// module's name (`registrar/registrar`) limits it to that one: all of them take a minute.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createGenerator } from 'ts-json-schema-generator';

const TYPES = {
  'accounts/accounts': ['Account', 'AccountCreateParams'],
  'accounts/payment-methods': ['PaymentMethodListResponse'],
  'accounts/tokens/tokens': ['TokenCreateParams', 'TokenCreateResponse'],
  shared: ['Member', 'Subscription'],
  'registrar/registrar': ['WorkflowStatus', 'Registration', 'RegistrarCheckResponse'],
  'registrar/registrations': ['RegistrationCreateParams', 'RegistrationEditParams'],
  'zones/zones': ['Zone'],
  'dns/records': ['RecordResponse', 'RecordBatchParams'],
  'workers/scripts/scripts': ['ScriptUpdateResponse'],
  'workers/scripts/versions': ['VersionGetResponse'],
  'workers/scripts/deployments': ['Deployment', 'DeploymentCreateParams'],
  'workers/scripts/assets/upload': ['UploadCreateResponse', 'UploadCreateParams'],
  'workers/domains': ['DomainUpdateResponse', 'DomainListResponse', 'DomainUpdateParams'],
};

const check = process.argv.includes('--check');
const only = process.argv.slice(2).find((word) => !word.startsWith('--'));

const root = path.resolve(import.meta.dirname, '..');
const target = path.join(root, 'test/vectors/cloudflare-schemas');
const home = path.join(root, 'node_modules/cloudflare');
const { version } = JSON.parse(readFileSync(path.join(home, 'package.json'), 'utf8'));

const files = { 'version.json': { name: 'cloudflare', version } };
for (const [module, types] of Object.entries(TYPES)) {
  if (only !== undefined && module !== only) continue;
  const generator = createGenerator({
    path: path.join(home, 'resources', `${module}.d.ts`),
    tsconfig: path.join(root, 'tsconfig.json'),
    skipTypeCheck: true,
    expose: 'none',
    additionalProperties: true,
  });
  // One type at a time: the package has several types of one name, which a common file would mix up.
  for (const type of types) files[`${type}.json`] = generator.createSchema(type);
}

mkdirSync(target, { recursive: true });
const differing = [];
for (const [name, content] of Object.entries(files)) {
  const file = path.join(target, name);
  const text = `${JSON.stringify(content)}\n`;
  if (!check) writeFileSync(file, text);
  else if (readFileSync(file, 'utf8') !== text) differing.push(name);
}
if (differing.length > 0) {
  console.error(`differ from cloudflare ${version}: ${differing.join(', ')}`);
  console.error('run: node scripts/cloudflare-schemas.mjs');
  process.exitCode = 1;
}
