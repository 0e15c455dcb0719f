import {
  chmodSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { loadKeyFile, newKeyFile, readKeyFile, type SigningKey } from '../../client/keys.js';
import { loadServiceKey, newServiceKeyFile, signAdmission } from '../../client/service-key.js';
import { decodeBase64url } from '../../domain/base64url.js';
import { canonicalBytes } from '../../domain/canonical.js';
import { keyIdOf, publicKeyProblem, verifyStatement } from '../../domain/signature.js';

const PASSPHRASE = 'correct horse battery';
const INSTANCE = '0f1e2d3c4b5a69788796a5b4c3d2e1f0';
let folder: string;
let file: string;
let key: SigningKey;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-keys-'));
  file = path.join(folder, 'ada.json');
  key = await newKeyFile(file, PASSPHRASE);
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const altered = (name: string, change: (content: string) => string): string => {
  const other = path.join(folder, name);
  writeFileSync(other, change(readFileSync(file, 'utf8')), { mode: 0o600 });
  return other;
};

test('a key file is 0600 and holds neither the private key nor the passphrase', async () => {
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const text = readFileSync(file, 'utf8');
  expect(text).not.toContain(PASSPHRASE);
  // The seed would let anybody sign: none of the file's values may produce our public key.
  const values = text.match(/"[A-Za-z0-9_-]{40,}"/g) ?? [];
  expect(values.length).toBeGreaterThan(2);
  const unlocked = await loadKeyFile(file, PASSPHRASE);
  expect(unlocked.keyId).toBe(key.keyId);
});

test("what an unlocked key signs passes the domain's strict verifier, and nothing else does", async () => {
  const unlocked = await loadKeyFile(file, PASSPHRASE);
  const publicKey = decodeBase64url(unlocked.publicKey)!;
  expect(publicKeyProblem(publicKey)).toBeUndefined();
  expect(keyIdOf(publicKey)).toBe(unlocked.keyId);
  const statement = { type: 'countersign.decision.v1', instance: INSTANCE, decision: 'approve' };
  const signature = { kind: 'ed25519' as const, value: unlocked.sign(canonicalBytes(statement)) };
  expect(verifyStatement(statement, signature, publicKey)).toBe(true);
  expect(verifyStatement({ ...statement, decision: 'reject' }, signature, publicKey)).toBe(false);
});

test('a wrong passphrase opens nothing', async () => {
  await expect(loadKeyFile(file, 'correct horse batterx')).rejects.toThrow('passphrase is wrong');
});

test('a key file that others may read is refused, with the command that closes it', async () => {
  const open = altered('open.json', (text) => text);
  chmodSync(open, 0o644);
  await expect(loadKeyFile(open, PASSPHRASE)).rejects.toThrow(/others may read it.*chmod 600/);
});

test('a key file whose public key was swapped is refused before the passphrase is tried', () => {
  const swapped = altered('swapped.json', (text) =>
    text.replace(key.publicKey, 'A'.repeat(42) + 'E'),
  );
  expect(() => readKeyFile(swapped)).toThrow('its key id does not belong to its public key');
});

test('a box moved under another key id does not open', async () => {
  const other = path.join(folder, 'bob.json');
  const bob = await newKeyFile(other, PASSPHRASE);
  const moved = altered('moved.json', (text) =>
    text.replace(key.keyId, bob.keyId).replace(key.publicKey, bob.publicKey),
  );
  await expect(loadKeyFile(moved, PASSPHRASE)).rejects.toThrow('passphrase is wrong');
});

test('a costly made-up header is refused by its bounds', () => {
  const costly = altered('costly.json', (text) => text.replace('131072', '1073741824'));
  expect(() => readKeyFile(costly)).toThrow('not a countersign key file');
});

test('an existing file is never overwritten, and a link never followed', async () => {
  await expect(newKeyFile(file, PASSPHRASE)).rejects.toThrow('it exists already');
  const link = path.join(folder, 'link.json');
  symlinkSync(file, link);
  expect(() => readKeyFile(link)).toThrow('not a link');
});

test('a short passphrase protects nothing and is refused', async () => {
  await expect(newKeyFile(path.join(folder, 'short.json'), 'seven77')).rejects.toThrow(
    'at least 8 characters',
  );
});

test('a service key signs an admission that the domain verifies', () => {
  const service = path.join(folder, 'service.json');
  const made = newServiceKeyFile(service, INSTANCE, 's_shop');
  const loaded = loadServiceKey(service);
  expect(loaded.key.keyId).toBe(made.key.keyId);
  const { statement, signature } = signAdmission(
    {
      runId: 'launch-7',
      requestDigest: `sha256:${'a'.repeat(64)}`,
      at: '2026-11-21T10:00:00.000Z',
    },
    loaded,
  );
  const parsed: unknown = JSON.parse(statement);
  const publicKey = decodeBase64url(made.key.publicKey)!;
  expect(verifyStatement(parsed, { kind: 'ed25519', value: signature }, publicKey)).toBe(true);
  expect(parsed).toMatchObject({ service: 's_shop', keyId: made.key.keyId, instance: INSTANCE });
});

test('a service key file with a foreign key id is refused', () => {
  const service = path.join(folder, 'foreign.json');
  const { key: own } = newServiceKeyFile(service, INSTANCE, 's_shop');
  writeFileSync(service, readFileSync(service, 'utf8').replace(own.keyId, key.keyId));
  expect(() => loadServiceKey(service)).toThrow('not a countersign service key');
});
