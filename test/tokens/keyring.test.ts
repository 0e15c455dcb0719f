import { randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { createKeyring, keyIdOf } from '../../gateway/keyring.js';
import type { SealedFor } from '../../gateway/keyring.js';

const bound: SealedFor = {
  instance: 'a'.repeat(32),
  runId: 'launch',
  row: 'row-1',
  purpose: 'workers',
};
const newKey = () => {
  const key = randomBytes(32);
  return { keyId: keyIdOf(key), key };
};
const VALUE = 'cf_main_token-canary';

test('a value opens in its own row, and its bytes hold nothing of it', () => {
  const keyring = createKeyring(() => [KEY]);
  const sealed = keyring.seal(VALUE, bound);
  expect(keyring.open(sealed, bound)).toBe(VALUE);
  expect(sealed.ciphertext.toString('latin1')).not.toContain('canary');
  expect(keyring.seal(VALUE, bound).nonce).not.toEqual(sealed.nonce);
});
const KEY = newKey();

test.each([
  ['another instance', { instance: 'b'.repeat(32) }],
  ['another run', { runId: 'launch-2' }],
  ['another row', { row: 'row-2' }],
  ['another purpose', { purpose: 'dns' }],
  ['parts that spell the same together', { runId: 'launchrow', row: '-1' }],
])('a value moved to %s does not open', (_, change) => {
  const keyring = createKeyring(() => [KEY]);
  const sealed = keyring.seal(VALUE, bound);
  expect(() => keyring.open(sealed, { ...bound, ...change })).toThrow(/not its row/);
});

test('a changed byte of ciphertext, tag or nonce does not open', () => {
  const keyring = createKeyring(() => [KEY]);
  const sealed = keyring.seal(VALUE, bound);
  const flipped = (bytes: Buffer, at: number): Buffer => {
    const copy = Buffer.from(bytes);
    copy[at] = (copy[at] ?? 0) ^ 1;
    return copy;
  };
  const { ciphertext, nonce } = sealed;
  for (const wrong of [
    { ...sealed, ciphertext: flipped(ciphertext, 0) },
    { ...sealed, ciphertext: flipped(ciphertext, ciphertext.length - 1) },
    { ...sealed, ciphertext: ciphertext.subarray(0, 8) },
    { ...sealed, nonce: flipped(nonce, 3) },
  ])
    expect(() => keyring.open(wrong, bound)).toThrow(/not its row/);
});

test('the first key seals, the others still open, and one that is not held is named', () => {
  const old = newKey();
  const fresh = newKey();
  let keys = [old];
  const keyring = createKeyring(() => keys);
  const sealed = keyring.seal(VALUE, bound);
  keys = [fresh, old];
  expect(keyring.currentId).toBe(fresh.keyId);
  expect(keyring.seal(VALUE, bound).keyId).toBe(fresh.keyId);
  expect(keyring.open(sealed, bound)).toBe(VALUE);
  keys = [fresh];
  expect(() => keyring.open(sealed, bound)).toThrow(`does not hold the key ${old.keyId}`);
  keys = [];
  expect(() => keyring.seal(VALUE, bound)).toThrow(/holds no key/);
});
