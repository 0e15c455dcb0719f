import { p256 } from '@noble/curves/nist.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes, hexToBytes } from '@noble/hashes/utils.js';
import { decodeBase64url, encodeBase64url } from './base64url.js';
import { readRsaSpki, type RsaKey } from './rsa.js';
import { keyIdOf, publicKeyProblem } from './signature.js';

/**
 * How a key signs. `ed25519` signs statements themselves (key files); the others are passkeys, named as WebAuthn names
 * them, and sign assertions over a statement's hash.
 */
export const KEY_ALGORITHMS = ['ed25519', 'ES256', 'EdDSA', 'RS256'] as const;
export type KeyAlgorithm = (typeof KEY_ALGORITHMS)[number];

/** A public key that signatures may be checked with. */
export type PublicKey =
  | { readonly kind: 'ed25519'; readonly raw: Uint8Array }
  | { readonly kind: 'p256'; readonly point: Uint8Array }
  | { readonly kind: 'rsa'; readonly rsa: RsaKey };

const ED25519_SPKI = hexToBytes('302a300506032b6570032100');
/** SubjectPublicKeyInfo of an uncompressed P-256 point (RFC 5480), up to the point. */
const P256_SPKI = hexToBytes('3059301306072a8648ce3d020106082a8648ce3d030107034200');
const P256_POINT_BYTES = 65;

export interface ReadKey {
  readonly key: PublicKey;
  /** base64url(SHA-256(SPKI DER)): the id a statement names. */
  readonly keyId: string;
}

/**
 * The key behind its written form: 32 raw bytes for `ed25519`, SubjectPublicKeyInfo (DER) for a passkey, both in
 * base64url. A text says why it must not be enrolled.
 */
export function readPublicKey(algorithm: KeyAlgorithm, publicKey: string): ReadKey | string {
  const bytes = decodeBase64url(publicKey);
  if (bytes === undefined) return 'the public key is not base64url';
  switch (algorithm) {
    case 'ed25519':
      return readEd25519(bytes);
    case 'EdDSA':
      return startsWith(bytes, ED25519_SPKI)
        ? readEd25519(bytes.slice(ED25519_SPKI.length))
        : 'the public key is not that of an EdDSA passkey';
    case 'ES256':
      return readP256(bytes);
    case 'RS256': {
      const rsa = readRsaSpki(bytes);
      return typeof rsa === 'string' ? rsa : { key: { kind: 'rsa', rsa }, keyId: idOf(bytes) };
    }
  }
}

const idOf = (spki: Uint8Array): string => encodeBase64url(sha256(spki));

const startsWith = (bytes: Uint8Array, prefix: Uint8Array): boolean =>
  prefix.every((byte, index) => bytes[index] === byte);

function readEd25519(raw: Uint8Array): ReadKey | string {
  // guard: under a key of small order one signature fits every message.
  const problem = publicKeyProblem(raw);
  return problem ?? { key: { kind: 'ed25519', raw }, keyId: keyIdOf(raw) };
}

function readP256(spki: Uint8Array): ReadKey | string {
  const point = spki.slice(P256_SPKI.length);
  if (!startsWith(spki, P256_SPKI) || point.length !== P256_POINT_BYTES)
    return 'the public key is not an uncompressed point of P-256';
  try {
    p256.Point.fromBytes(point).assertValidity();
  } catch {
    return 'the public key is no point of P-256';
  }
  return { key: { kind: 'p256', point }, keyId: idOf(spki) };
}

/** SubjectPublicKeyInfo (DER) of an uncompressed P-256 point. */
export const p256Spki = (point: Uint8Array): Uint8Array => concatBytes(P256_SPKI, point);
