import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { UsageError } from '../../config/errors.js';
import { childEnvironment, clearProviderVariables } from '../../config/environment.js';
import { loadConfig, type Config } from '../../config/load.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-config-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Given {
  readonly file?: string;
  readonly env?: Record<string, string>;
  readonly args?: { readonly data?: string; readonly server?: string; readonly config?: string };
}

function load({ file, env = {}, args = {} }: Given): Config {
  if (file !== undefined) writeFileSync(path.join(folder, 'countersign.config.yaml'), file);
  return loadConfig({ env: { HOME: '/home/someone', ...env }, cwd: folder, args });
}

function complaintOf(given: Given): string {
  try {
    load(given);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    expect((error as UsageError).exitCode).toBe(2);
    return (error as UsageError).message;
  }
  throw new Error('nothing was refused');
}

const CREDENTIALS = `credentials:
  stripe: { actions: s/a, compensations: s/c, reads: s/r }
  cloudflare: { actions: /c/a, compensations: /c/c, reads: /c/r }
`;

test('without any file or variable it is embedded, against the sandbox', () => {
  const config = load({});
  expect(config).toMatchObject({ mode: 'embedded', providers: 'sandbox', live: undefined });
  expect(config.temporal).toEqual({
    address: undefined,
    namespace: 'default',
    tls: undefined,
    apiKey: undefined,
  });
});

test('the data folder is named after the project, also from a folder within it', () => {
  writeFileSync(path.join(folder, 'package.json'), '{}');
  mkdirSync(path.join(folder, 'deep/er'), { recursive: true });
  const outer = load({});
  const inner = loadConfig({
    env: { HOME: '/home/someone' },
    cwd: path.join(folder, 'deep/er'),
    args: {},
  });
  expect(inner.dataDir).toBe(outer.dataDir);
  expect(path.dirname(outer.dataDir)).toBe('/home/someone/.local/state/countersign');
  expect(path.basename(outer.dataDir)).toMatch(/^countersign-config-[a-z0-9-]+-[0-9a-f]{8}$/);
});

test('two projects of the same name do not share a data folder', () => {
  const of = (name: string): string => {
    const cwd = path.join(folder, name, 'shop');
    mkdirSync(cwd, { recursive: true });
    writeFileSync(path.join(cwd, 'package.json'), '{}');
    return loadConfig({ env: { HOME: '/home/someone' }, cwd, args: {} }).dataDir;
  };
  expect(of('one')).not.toBe(of('two'));
});

test('--data wins over COUNTERSIGN_DATA, which wins over the default', () => {
  const env = { COUNTERSIGN_DATA: 'from-env' };
  expect(load({ env }).dataDir).toBe(path.join(folder, 'from-env'));
  expect(load({ env, args: { data: '/elsewhere' } }).dataDir).toBe('/elsewhere');
});

test('every variable of the reference reaches the configuration', () => {
  const config = load({
    env: {
      COUNTERSIGN_SERVER: 'http://127.0.0.1:8080',
      COUNTERSIGN_DATABASE_URL: 'postgresql://u:p@db/countersign',
      COUNTERSIGN_TEMPORAL_ADDRESS: 'temporal.internal:7233',
      COUNTERSIGN_TEMPORAL_NAMESPACE: 'countersign',
      COUNTERSIGN_TEMPORAL_TLS_CERT: 'tls/cert.pem',
      COUNTERSIGN_TEMPORAL_TLS_KEY: '/tls/key.pem',
      COUNTERSIGN_TEMPORAL_API_KEY: 'key',
      COUNTERSIGN_POLICY: 'policy.yaml',
      COUNTERSIGN_ROOT_KEYS: 'one, two',
    },
  });
  expect(config.server).toBe('http://127.0.0.1:8080');
  expect(config.databaseUrl).toBe('postgresql://u:p@db/countersign');
  expect(config.temporal).toEqual({
    address: 'temporal.internal:7233',
    namespace: 'countersign',
    tls: { certFile: path.join(folder, 'tls/cert.pem'), keyFile: '/tls/key.pem' },
    apiKey: 'key',
  });
  expect(config.policyFile).toBe(path.join(folder, 'policy.yaml'));
  expect(config.rootKeys).toEqual(['one', 'two']);
});

describe('a wrong file or variable is one sentence with its place and a remedy', () => {
  test.each<[string, Given, RegExp]>([
    [
      'an unknown key',
      { file: 'mode: embedded\nprovider: live\n' },
      /yaml:2:1: unknown key "provider"\. Known here: mode, providers, credentials, notices, passkeys, encryption, server\.$/,
    ],
    [
      'an unknown nested key',
      { file: `${CREDENTIALS}  paypal: 1\n` },
      /yaml:4:3: unknown key "credentials.paypal"\. Known here: stripe, cloudflare/,
    ],
    ['an unknown mode', { file: '\nmode: staging\n' }, /yaml:2:7: "mode" is not valid/],
    ['a list for the file', { file: '- mode\n' }, /yaml:1:1: the file is not valid/],
    [
      'a key given twice',
      { file: 'mode: embedded\nmode: production\n' },
      /yaml:2:1: this is not valid YAML: Map keys must be unique/,
    ],
    ['broken YAML', { file: 'mode: [embedded\n' }, /yaml:\d+:\d+: this is not valid YAML/],
    [
      'an alias',
      { file: 'mode: &m embedded\nproviders: *m\n' },
      /yaml:1:\d+: anchors, aliases and tags/,
    ],
    ['a tag', { file: 'mode: !!str embedded\n' }, /yaml:1:\d+: anchors, aliases and tags/],
    ['a huge file', { file: `# ${'x'.repeat(70_000)}\n` }, /larger than 65536 bytes/],
    [
      'a missing named file',
      { args: { config: 'absent.yaml' } },
      /absent\.yaml: the configuration file does not exist/,
    ],
    [
      'a database URL of another kind',
      { env: { COUNTERSIGN_DATABASE_URL: 'mysql://x/y' } },
      /COUNTERSIGN_DATABASE_URL is not valid/,
    ],
    [
      'a Temporal address that is a URL',
      { env: { COUNTERSIGN_TEMPORAL_ADDRESS: 'http://x:7233' } },
      /COUNTERSIGN_TEMPORAL_ADDRESS is not valid \(expected HOST:PORT\)/,
    ],
    [
      'half a key pair',
      { env: { COUNTERSIGN_TEMPORAL_TLS_KEY: 'k' } },
      /TLS_KEY is set without its other half/,
    ],
    ['--server that is no URL', { args: { server: 'localhost' } }, /--server "localhost" is not/],
  ])('%s', (_name, given, expected) => {
    const message = complaintOf(given);
    expect(message).toMatch(expected);
    expect(message).not.toContain('\n');
  });

  test('a value of a variable is never repeated in the message', () => {
    const env = { COUNTERSIGN_DATABASE_URL: 'mysql://user:hunter2@db/x' };
    expect(complaintOf({ env })).not.toContain('hunter2');
  });
});

describe('real money only by name', () => {
  const LIVE = 'providers: live\nmode: production\n';

  test('live is refused where one person on one machine would be everybody', () => {
    const env = { COUNTERSIGN_LIVE: '1' };
    expect(complaintOf({ file: `providers: live\n${CREDENTIALS}`, env })).toContain(
      'needs `mode: production`',
    );
  });

  test('live needs COUNTERSIGN_LIVE=1', () => {
    expect(complaintOf({ file: `providers: live\n${CREDENTIALS}` })).toContain(
      'needs COUNTERSIGN_LIVE=1',
    );
  });

  test('live needs credentials by file, whatever the environment holds', () => {
    const env = { COUNTERSIGN_LIVE: '1', STRIPE_API_KEY: 'sk_live_x', CLOUDFLARE_API_TOKEN: 'y' };
    expect(complaintOf({ file: LIVE, env })).toContain('needs credentials by file');
  });

  test('any other value of COUNTERSIGN_LIVE is refused', () => {
    expect(complaintOf({ env: { COUNTERSIGN_LIVE: 'true' } })).toContain(
      'the only value it takes is 1',
    );
  });

  test('with both, the credentials are files beside the configuration', () => {
    const config = load({
      file: `${LIVE}${CREDENTIALS}`,
      env: { COUNTERSIGN_LIVE: '1' },
    });
    expect(config.providers).toBe('live');
    expect(config.live?.stripe.actions).toBe(path.join(folder, 's/a'));
    expect(config.live?.cloudflare.reads).toBe('/c/r');
  });

  test('no credential or switch in the environment turns the sandbox off', () => {
    const env = { COUNTERSIGN_LIVE: '1', STRIPE_API_KEY: 'sk_live_x', CLOUDFLARE_API_TOKEN: 'y' };
    expect(load({ env })).toMatchObject({ providers: 'sandbox', live: undefined });
    expect(load({ env, file: CREDENTIALS })).toMatchObject({
      providers: 'sandbox',
      live: undefined,
    });
  });
});

test('the variables that SDKs read by themselves are cleared, and nothing else', () => {
  const env: NodeJS.ProcessEnv = {
    PATH: '/bin',
    STRIPE_API_KEY: 'a',
    CLOUDFLARE_BASE_URL: 'b',
    CLOUDFLARE_EMAIL: 'c',
    https_proxy: 'd',
    ALL_PROXY: 'e',
    COUNTERSIGN_DATA: 'f',
  };
  const cleared = clearProviderVariables(env);
  expect(Object.keys(env)).toEqual(['PATH', 'COUNTERSIGN_DATA']);
  expect(cleared).toHaveLength(5);
});

test('child processes inherit only what is on the list', () => {
  const env = {
    PATH: '/bin',
    HOME: '/h',
    LANG: '',
    STRIPE_API_KEY: 'a',
    NODE_OPTIONS: '--inspect',
  };
  expect(childEnvironment(env)).toEqual({ PATH: '/bin', HOME: '/h' });
});
