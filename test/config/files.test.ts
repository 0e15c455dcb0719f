import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createPrivateKey } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  endpointsFile,
  readEndpoints,
  writeEndpoints,
  type Endpoints,
} from '../../config/endpoints.js';
import { UnreachableError, UsageError } from '../../config/errors.js';
import { createPrivateFile, readPrivateFile } from '../../config/private-files.js';
import { openSecrets, readSecrets, SECRET_FILES, secretFile } from '../../config/secrets.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-files-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const ENDPOINTS: Endpoints = {
  pid: 4711,
  nonce: '0123456789abcdef',
  databaseUrl: 'postgresql://countersign_owner:secret@127.0.0.1:1/countersign',
  temporalAddress: '127.0.0.1:2',
  temporalUi: 'http://127.0.0.1:3',
  namespace: 'default',
  sandbox: {
    apiUrl: 'http://127.0.0.1:4',
    controlUrl: 'http://127.0.0.1:5',
    controlTokenFile: '/data/secrets/sandbox-control.token',
    edgeUrl: 'http://127.0.0.1:6',
    issuerUrl: 'http://127.0.0.1:7',
  },
};

const names = Object.keys(SECRET_FILES) as (keyof typeof SECRET_FILES)[];

test('the first start makes every secret, 0600, all different; the next one finds the same', () => {
  const first = openSecrets(folder);
  const second = openSecrets(folder);
  expect(second).toEqual(first);
  expect(readSecrets(folder)).toEqual(first);
  const modes = names.map((name) => statSync(secretFile(folder, name)).mode & 0o777);
  expect(new Set(modes)).toEqual(new Set([0o600]));
  expect(new Set(names.map((name) => String(first[name]))).size).toBe(names.length);
  expect(readdirSync(path.join(folder, 'secrets'))).toHaveLength(names.length);
});

test('the secrets have the form that their users need', () => {
  const secrets = openSecrets(folder);
  expect(secrets.tokenEncryptionKey).toHaveLength(32);
  expect(createPrivateKey(secrets.serviceKey).asymmetricKeyType).toBe('ed25519');
  expect(createPrivateKey(secrets.checkpointKey).asymmetricKeyType).toBe('ed25519');
});

test('a secret that others may read is refused, with its file named', () => {
  openSecrets(folder);
  const file = secretFile(folder, 'controlToken');
  chmodSync(file, 0o644);
  expect(() => readSecrets(folder)).toThrow(UsageError);
  expect(() => readSecrets(folder)).toThrow(`${file}: the file is open to other users (mode 644)`);
});

test('a damaged secret is refused and kept, a missing one is not made by readers', () => {
  openSecrets(folder);
  const file = secretFile(folder, 'tokenEncryptionKey');
  writeFileSync(file, 'short');
  expect(() => readSecrets(folder)).toThrow('damaged');
  expect(() => openSecrets(folder)).toThrow('damaged');
  rmSync(file);
  expect(() => readSecrets(folder)).toThrow('missing');
});

test('of two who create a file, the first wins and nothing is left aside', () => {
  const file = path.join(folder, 'secret');
  createPrivateFile(file, 'first');
  createPrivateFile(file, 'second');
  expect(readPrivateFile(file)).toBe('first');
  expect(readdirSync(folder)).toEqual(['secret']);
});

test('endpoints are written whole, 0600, and read back', () => {
  writeEndpoints(folder, ENDPOINTS);
  writeEndpoints(folder, { ...ENDPOINTS, pid: 4712 });
  expect(readEndpoints(folder)).toEqual({ ...ENDPOINTS, pid: 4712 });
  expect(statSync(endpointsFile(folder)).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toEqual(['endpoints.json']);
});

test('a folder without a stack is unreachable, a damaged endpoints file is not', () => {
  expect(() => readEndpoints(folder)).toThrow(UnreachableError);
  writeFileSync(endpointsFile(folder), '{', { mode: 0o600 });
  expect(() => readEndpoints(folder)).toThrow(UsageError);
});
