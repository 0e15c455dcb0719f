import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Config } from '../../config/load.js';
import { secretFile } from '../../config/secrets.js';
import { createGateway, createParts } from '../../gateway/create-gateway.js';
import { fingerprintOf as inLog, issueCredential } from '../../sandbox/core/credentials.js';
import { noteCredentials, credentialStates } from '../../store/credential-states.js';
import { credentialsOf, keyringOf } from '../../workers/held.js';
import { fingerprintOf, rotating } from '../../workers/rotation.js';
import type { Rotating } from '../../workers/rotation.js';
import { commandSource, fileSource, urlSource } from '../../workers/secret-sources.js';
import { openSandbox, performed, persist, upTo } from '../gateway/at-sandbox.js';
import type { AtSandbox, Sandboxed } from '../gateway/at-sandbox.js';
import { admitted, approved } from '../gateway/house.js';
import { rowsOf } from './ground.js';

let sandbox: Sandboxed;
let folder: string;
beforeAll(async () => {
  sandbox = await openSandbox();
});
afterAll(() => sandbox.close());
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-rotation-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const write = (name: string, text: string): string => {
  const file = path.join(folder, name);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
};
const key = (): string => randomBytes(32).toString('base64url');
const embedded = (): Pick<Config, 'mode' | 'dataDir' | 'encryption'> => ({
  mode: 'embedded',
  dataDir: folder,
  encryption: undefined,
});

const ROLES = ['actions', 'compensations', 'reads'] as const;
/** What each credential speaks as at the stand-in. */
const SPEAKS = {
  'stripe actions': 'actions',
  'stripe compensations': 'compensations',
  'stripe reads': 'reads',
  'cloudflare actions': 'mint-actions',
  'cloudflare compensations': 'mint-compensations',
  'cloudflare reads': 'reads',
  'cloudflare accounts': 'accounts',
} as const;
type Name = keyof typeof SPEAKS;
const NAMES = Object.keys(SPEAKS) as Name[];

/** The credential of a name in its `n`-th issue, as the stand-in would mint it. */
function issue(world: string, name: Name, n: number): string {
  const [provider] = name.split(' ') as ['stripe' | 'cloudflare'];
  const role = n === 0 ? SPEAKS[name] : `${SPEAKS[name]}-${n}`;
  return issueCredential(sandbox.secret, { provider, world, role });
}

/** The sandbox's gateway with credentials and keys out of files that a test replaces. */
async function fromFiles(at: AtSandbox): Promise<{ at: AtSandbox; all: readonly Rotating[] }> {
  for (const name of NAMES) write(name, issue(at.world, name, 0));
  const origin = new URL(at.parts.providers.asToken('x').baseURL).origin;
  const files = (provider: string) =>
    Object.fromEntries(
      [...ROLES, 'accounts' as const].map((role) => [
        role,
        path.join(folder, `${provider} ${role}`),
      ]),
    ) as { actions: string; compensations: string; reads: string; accounts: string };
  const stripe = files('stripe');
  const held = credentialsOf({ stripe, cloudflare: files('cloudflare') }, ROLES, {
    providers: 'sandbox',
    stripe: origin,
    cloudflare: origin,
  });
  const sealing = await keyringOf(embedded());
  const { parts } = at;
  const made = createParts({
    db: at.db,
    door: parts.door,
    instance: at.instance,
    operations: [...parts.effects.values()],
    readers: parts.readers,
    providers: 'sandbox',
    credentials: held.credentials,
    settling: parts.settling,
    egress: parts.egress,
    httpTimeouts: parts.httpTimeouts,
    keyring: sealing.keyring,
  });
  return {
    at: { ...at, parts: made, gateway: createGateway(made) },
    all: [...sealing.rotating, ...held.rotating],
  };
}

test('every credential and the key are rotated under a live run, which completes; the old ones are used no more', async () => {
  const first = await sandbox.open('rotated');
  try {
    const { at, all } = await fromFiles(first);
    const runId = await admitted(at);
    await approved(at, runId, 'plan');
    await upTo(at, runId, 'deploy-site');
    const [before] = await rowsOf(at, runId);
    for (const name of NAMES) write(name, issue(at.world, name, 1));
    const file = secretFile(folder, 'tokenEncryptionKey');
    const former = (await fileSource(file).read()).trim();
    writeFileSync(file, `${key()}\n${former}\n`, { mode: 0o600 });
    await Promise.all(all.map((secret) => secret.poll()));
    expect(all.map((secret) => secret.state().problem)).toEqual(all.map(() => undefined));
    const { requests: until } = await at.control.truth(at.world);
    await performed(at, runId, 'attach-domain');
    await persist(at, () => at.gateway.verify(runId));
    expect((await at.gateway.complete(runId)).phase).toBe('completed');
    const { requests } = await at.control.truth(at.world);
    const since = requests.slice(until.length);
    const old = new Set(NAMES.map((name) => `fingerprint ${inLog(issue(at.world, name, 0))}`));
    expect(since.length).toBeGreaterThan(5);
    expect(since.filter(({ headers }) => old.has(headers['authorization'] ?? ''))).toEqual([]);
    // What was sealed under the former key was sealed anew when it was used.
    const rows = await rowsOf(at, runId);
    const keys = new Set(rows.map((row) => row.key_id));
    expect(keys).toContain(before!.key_id);
    expect(keys.size).toBe(2);
  } finally {
    await first.close();
  }
});

test('one that does not prove itself is not used, which is said, until it does', async () => {
  const first = await sandbox.open('unproven');
  try {
    const { at, all } = await fromFiles(first);
    const find = (name: string) => all.find((secret) => secret.state().name === name)!;
    const stripe = find('stripe actions');
    const before = stripe.value;
    write('stripe actions', `sk_test_unproven_actions_${'0'.repeat(32)}`);
    write('cloudflare actions', 'cf-not-a-token');
    await Promise.all(all.map((secret) => secret.poll()));
    expect(stripe.value).toBe(before);
    expect(stripe.state().problem).toMatch(/not used: stripe answered 401/);
    expect(find('cloudflare actions').state().problem).toMatch(/not used: .*not minted/);
    await noteCredentials(
      at.db,
      'worker test',
      all.map((secret) => {
        const { sinceMs, ...state } = secret.state();
        return { ...state, since: new Date(sinceMs) };
      }),
    );
    const told = await credentialStates(at.db);
    expect(told.filter(({ problem }) => problem !== null).map(({ name }) => name)).toEqual([
      'cloudflare actions',
      'stripe actions',
    ]);
    expect(JSON.stringify(told)).not.toContain(before);
    write('stripe actions', issue(at.world, 'stripe actions', 1));
    await stripe.poll();
    expect(stripe.state()).toMatchObject({
      problem: undefined,
      fingerprint: fingerprintOf(issue(at.world, 'stripe actions', 1)),
    });
  } finally {
    await first.close();
  }
});

test('a file that others may read, that is empty or gone, leaves the former value', async () => {
  const file = write('secret', 'one');
  const secret = rotating({
    name: 'secret',
    initial: 'one',
    source: fileSource(file),
    prove: () => Promise.resolve(),
  });
  writeFileSync(file, 'two!');
  chmodSync(file, 0o644);
  await secret.poll();
  expect(secret.state().problem).toMatch(/open to other users/);
  chmodSync(file, 0o600);
  writeFileSync(file, '');
  await secret.poll();
  expect(secret.state().problem).toMatch(/missing or empty/);
  rmSync(file);
  await secret.poll();
  expect(secret.state().problem).toMatch(/missing or empty/);
  expect(secret.value).toBe('one');
  write('secret', 'two');
  await secret.poll();
  expect(secret.value).toBe('two');
});

test('a key comes from a program of a key service, without our environment', async () => {
  const program = write(
    'kms.mjs',
    `import { readFileSync } from 'node:fs';
     if (process.env.HOME !== undefined) process.exit(3);
     console.log(readFileSync(${JSON.stringify(path.join(folder, 'keys'))}, 'utf8'));`,
  );
  const [one, two] = [key(), key()];
  write('keys', one);
  const config = {
    ...embedded(),
    mode: 'production' as const,
    encryption: { command: [process.execPath, program] },
  };
  const { keyring } = await keyringOf(config);
  const bound = { instance: 'i', runId: 'r', row: 'row', purpose: 'dns' };
  const sealed = keyring.seal('value', bound);
  write('keys', `k-two:${two}\n${one}`);
  let nowMs = 0;
  const source = commandSource(config.encryption.command, () => nowMs);
  const secret = rotating({ name: 'k', initial: one, source, prove: () => Promise.resolve() });
  await secret.poll();
  expect(secret.value).toBe(one);
  nowMs = 60_001;
  await secret.poll();
  expect(secret.value).toBe(`k-two:${two}\n${one}`);
  const later = await keyringOf(config);
  expect(later.keyring.currentId).toBe('k-two');
  expect(later.keyring.open(sealed, bound)).toBe('value');
  await expect(
    keyringOf({ ...config, encryption: { command: [process.execPath, '-e', 'process.exit(1)'] } }),
  ).rejects.toThrow(/its command failed/);
});

test('a key comes from a key service over HTTP, with the token from its file', async () => {
  const seen: (string | undefined)[] = [];
  const value = key();
  let status = 200;
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.writeHead(status).end(`k-http:${value}\n`);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  try {
    const { port } = server.address() as AddressInfo;
    const of = { url: `http://127.0.0.1:${port}/key`, tokenFile: write('token', 'let-me-in') };
    const { keyring } = await keyringOf({ ...embedded(), mode: 'production', encryption: of });
    expect(keyring.currentId).toBe('k-http');
    expect(seen).toEqual(['Bearer let-me-in']);
    status = 500;
    await expect(urlSource(of).read()).rejects.toThrow(/gave no answer/);
  } finally {
    server.close();
  }
});

test('production seals under no key that lies in the data folder, and under none of its own making', async () => {
  await keyringOf(embedded());
  const own = (await fileSource(secretFile(folder, 'tokenEncryptionKey')).read()).trim();
  const production = { ...embedded(), mode: 'production' as const };
  await expect(keyringOf(production)).rejects.toThrow(/does not lie beside the data/);
  await expect(
    keyringOf({ ...production, encryption: { file: write('copied', `mine:${own}`) } }),
  ).rejects.toThrow(/the one of the embedded mode/);
  await expect(
    keyringOf({ ...production, encryption: { environment: 'too-short' } }),
  ).rejects.toThrow(/key 1 is not 32 bytes/);
  const { keyring } = await keyringOf({ ...production, encryption: { environment: key() } });
  expect(keyring.currentId).toMatch(/^k-[0-9a-f]{12}$/);
});
