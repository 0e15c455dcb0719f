import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { writeSandboxEndpoints, writeEndpoints } from '../../config/endpoints.js';
import { loadConfig, type Config } from '../../config/load.js';
import { openSecrets } from '../../config/secrets.js';
import { serverSettings } from '../../config/server-settings.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-server-config-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function load(file: string): Config {
  writeFileSync(path.join(folder, 'countersign.config.yaml'), file);
  return loadConfig({ env: { HOME: folder }, cwd: folder, args: { data: 'data' } });
}

test.each([
  ['server: { port: 70000 }', /"server.port" is not valid/],
  ['server: { prot: 1 }', /unknown key "server.prot".*publicUrl, issuers/],
  ['server: { port: 8080 }', /"server.port" is for production/],
  ['mode: production\nserver: { publicUrl: http://a.example }', /"server.publicUrl" is not valid/],
  ['mode: production\nserver: { publicUrl: https://a.example/x }', /without a path/],
  ['server: { issuers: [http://issuer.example] }', /"server.issuers.0" is not valid/],
  [
    'mode: production\nserver: { webhook: { secretFiles: [x], file: x } }',
    /Known here: secretFiles, account/,
  ],
])('%s is refused with its place', (file, words) => {
  expect(() => load(file)).toThrow(words);
});

test('in production the name, the issuers and the webhook’s secret are named, and nothing stands in for them', () => {
  expect(() => serverSettings(load('mode: production'))).toThrow(/"server.publicUrl"/);
  const named = 'mode: production\nserver:\n  publicUrl: https://a.example\n';
  expect(() => serverSettings(load(named))).toThrow(/"server.issuers"/);
  const issuers = `${named}  issuers: [https://issuer.example]\n`;
  expect(serverSettings(load(issuers))).toMatchObject({
    publicUrl: 'https://a.example',
    loopback: undefined,
    webhook: { secrets: [], livemode: false },
  });
  const webhook = `${issuers}  webhook: { secretFiles: [whsec], account: acct_1 }\n`;
  expect(() => serverSettings(load(webhook))).toThrow(/whsec: this secret is missing/);
  writeFileSync(path.join(folder, 'whsec'), 'whsec_0123456789abcdef\n', { mode: 0o600 });
  expect(serverSettings(load(webhook)).webhook).toMatchObject({
    secrets: ['whsec_0123456789abcdef'],
    account: 'acct_1',
  });
});

test('on one’s own machine the sandbox’s issuer is the one that may answer on loopback', () => {
  const config = load('');
  const secrets = openSecrets(config.dataDir);
  const issuerUrl = 'http://127.0.0.1:4999';
  const sandbox = { apiUrl: '', controlUrl: '', controlTokenFile: '', edgeUrl: '', issuerUrl };
  writeSandboxEndpoints(config.dataDir, sandbox);
  writeEndpoints(config.dataDir, {
    ...{ pid: 1, nonce: 'n'.repeat(16), databaseUrl: 'postgresql://x', temporalAddress: 'x:1' },
    ...{ namespace: 'default', sandbox },
  });
  expect(serverSettings(config, { port: 8080 })).toMatchObject({
    issuers: [issuerUrl],
    loopback: issuerUrl,
    port: 8080,
    webhook: { secrets: [secrets.webhookSecret] },
  });
  const own = load('server: { issuers: [https://issuer.example] }');
  expect(serverSettings(own)).toMatchObject({
    issuers: ['https://issuer.example'],
    loopback: undefined,
  });
});
