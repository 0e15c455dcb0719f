import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { ed25519 } from '@noble/curves/ed25519.js';
import fc from 'fast-check';
import { decodeBase64url, encodeBase64url } from '../../domain/base64url.js';
import { canonicalBytes, canonicalize, digestOf, sha256Hex } from '../../domain/canonical.js';
import type { Ed25519Signature } from '../../domain/documents.js';
import {
  keyIdOf,
  publicKeyOf,
  publicKeyProblem,
  signStatement,
  verifyStatement,
} from '../../domain/signature.js';

interface Vectors {
  readonly ed25519: { seedHex: string; publicKeyHex: string; keyId: string };
  readonly action: object;
  readonly actionCanonical: string;
  readonly actionDigestOfAction: string;
  readonly card: object;
  readonly cardDigest: string;
  readonly gate: object;
  readonly gateDigest: string;
  readonly statement: object;
  readonly statementCanonical: string;
  readonly statementSha256: string;
  readonly ed25519SignatureB64u: string;
}
const vectors = JSON.parse(
  readFileSync(new URL('../vectors/approval.json', import.meta.url), 'utf8'),
) as Vectors;

const seed = Buffer.from(vectors.ed25519.seedHex, 'hex');
const publicKey = Buffer.from(vectors.ed25519.publicKeyHex, 'hex');
const signed = (value: string): Ed25519Signature => ({ kind: 'ed25519', value });
const good = signed(vectors.ed25519SignatureB64u);
const SMALL_ORDER_HEX = '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05';
const identity = Buffer.concat([Buffer.from([1]), Buffer.alloc(31)]);

describe('the good vectors', () => {
  test('canonical forms and digests are byte for byte those of the vectors', () => {
    expect(canonicalize(vectors.action)).toBe(vectors.actionCanonical);
    expect(digestOf(vectors.action)).toBe(vectors.actionDigestOfAction);
    expect(digestOf(vectors.card)).toBe(vectors.cardDigest);
    expect(digestOf(vectors.gate)).toBe(vectors.gateDigest);
    expect(canonicalize(vectors.statement)).toBe(vectors.statementCanonical);
    expect(sha256Hex(canonicalBytes(vectors.statement))).toBe(vectors.statementSha256);
  });

  test('the key id and the signature are those of the vectors, and the signature stands', () => {
    expect(Buffer.from(publicKeyOf(seed)).toString('hex')).toBe(vectors.ed25519.publicKeyHex);
    expect(keyIdOf(publicKey)).toBe(vectors.ed25519.keyId);
    expect(signStatement(vectors.statement, seed)).toEqual(good);
    expect(verifyStatement(vectors.statement, good, publicKey)).toBe(true);
  });
});

describe('a signature that must not stand', () => {
  const raw = Buffer.from(vectors.ed25519SignatureB64u, 'base64url');

  test('each single bit of it counts', () => {
    fc.assert(
      fc.property(fc.nat({ max: 511 }), (bit) => {
        const bent = Buffer.from(raw);
        bent.writeUInt8(bent.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        expect(verifyStatement(vectors.statement, signed(encodeBase64url(bent)), publicKey)).toBe(
          false,
        );
      }),
      { numRuns: 40 },
    );
  });

  test('S + L, the same signature written larger, is refused', () => {
    const order = ed25519.Point.Fn.ORDER;
    const s = BigInt(`0x${Buffer.from(raw.subarray(32)).reverse().toString('hex')}`) + order;
    const larger = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse();
    const bent = encodeBase64url(Buffer.concat([raw.subarray(0, 32), larger]));
    expect(verifyStatement(vectors.statement, signed(bent), publicKey)).toBe(false);
  });

  test('the identity key with R = identity and S = 0 fits no message', () => {
    const constant = signed(encodeBase64url(Buffer.concat([identity, Buffer.alloc(32)])));
    expect(
      ed25519.verify(
        Buffer.from(constant.value, 'base64url'),
        canonicalBytes(vectors.statement),
        identity,
      ),
    ).toBe(true);
    expect(verifyStatement(vectors.statement, constant, identity)).toBe(false);
  });

  test('R with a part of small order is refused, for verifiers would disagree on it', () => {
    const torsion = ed25519.Point.fromHex(SMALL_ORDER_HEX);
    const { scalar } = ed25519.utils.getExtendedPublicKey(seed);
    const nonce = 12_345n;
    const message = canonicalBytes(vectors.statement);
    const r = ed25519.Point.BASE.multiply(nonce).add(torsion).toBytes();
    const hash = createHash('sha512').update(r).update(publicKey).update(message).digest();
    const k = ed25519.Point.Fn.create(BigInt(`0x${hash.reverse().toString('hex')}`));
    const s = ed25519.Point.Fn.create(nonce + k * scalar);
    const sBytes = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse();
    const bent = Buffer.concat([r, sBytes]);
    expect(ed25519.verify(bent, message, publicKey, { zip215: false })).toBe(true);
    expect(verifyStatement(vectors.statement, signed(encodeBase64url(bent)), publicKey)).toBe(
      false,
    );
  });

  test('another spelling of the same signature bytes is refused', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = alphabet.indexOf(good.value.slice(-1));
    const other = good.value.slice(0, -1) + alphabet.charAt(last + 1);
    expect(Buffer.from(other, 'base64url').equals(raw)).toBe(true);
    expect(verifyStatement(vectors.statement, signed(other), publicKey)).toBe(false);
  });
});

describe('a key that must not be enrolled', () => {
  const hex = (text: string): Buffer => Buffer.from(text, 'hex');
  test.each([
    ['the identity', identity],
    ['a point of order 8', hex(SMALL_ORDER_HEX)],
    ['y = p + 1, the identity in another spelling', hex(`ee${'ff'.repeat(30)}7f`)],
    ['no point of the curve', hex(`02${'00'.repeat(31)}`)],
    ['31 bytes', Buffer.alloc(31)],
    [
      'a sum of a good key and a point of small order',
      Buffer.from(
        ed25519.Point.fromBytes(publicKey).add(ed25519.Point.fromHex(SMALL_ORDER_HEX)).toBytes(),
      ),
    ],
  ])('%s', (_, key) => {
    expect(publicKeyProblem(key)).toEqual(expect.any(String));
  });

  test('no encoding beyond the field is taken, for whichever point it stands', () => {
    for (let low = 0; low < 19; low += 1) {
      const beyond = Buffer.concat([Buffer.from([0xed + low]), Buffer.alloc(30, 0xff), hex('7f')]);
      expect(publicKeyProblem(beyond)).toMatch(/not encoded canonically/);
    }
  });

  test('a good key may be enrolled', () => {
    expect(publicKeyProblem(publicKey)).toBeUndefined();
  });
});

describe('base64url', () => {
  test('agrees with the platform, both ways, and knows one spelling only', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const text = Buffer.from(bytes).toString('base64url');
        expect(encodeBase64url(bytes)).toBe(text);
        expect(decodeBase64url(text)).toEqual(new Uint8Array(bytes));
        expect(decodeBase64url(`${text}=`)).toBeUndefined();
      }),
    );
  });
});
