import { ed25519 } from '@noble/curves/ed25519.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, hexToBytes } from '@noble/hashes/utils.js';
import { decodeBase64url, encodeBase64url } from './base64url.js';
import { canonicalBytes, sha256Hex } from './canonical.js';
import type { Ed25519Signature } from './documents.js';
import { invariant } from './errors.js';
import { memo } from './memo.js';

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** DER of SubjectPublicKeyInfo for Ed25519 (RFC 8410), up to the raw key. */
const SPKI_PREFIX = hexToBytes('302a300506032b6570032100');

/** base64url(SHA-256(SPKI DER)) of a raw 32-byte public key: the id a decision names. */
export function keyIdOf(publicKeyRaw: Uint8Array): string {
  invariant(publicKeyRaw.length === KEY_BYTES, 'a raw Ed25519 public key has 32 bytes');
  return encodeBase64url(sha256(concatBytes(SPKI_PREFIX, publicKeyRaw)));
}

/**
 * Why a public key must not be enrolled, or undefined. Under a key of small order one constant signature fits
 * every message, and libraries that follow ZIP-215 accept it.
 */
export function publicKeyProblem(publicKeyRaw: Uint8Array): string | undefined {
  if (publicKeyRaw.length !== KEY_BYTES) return 'an Ed25519 public key has 32 bytes';
  return pointProblem(publicKeyRaw);
}

/** How many keys, and how many signatures that stood or did not, are remembered: some ms of arithmetic each. */
const REMEMBERED = 2_000;

const pointProblem = memo(REMEMBERED, bytesToHex, (publicKeyRaw): string | undefined => {
  const point = decodePoint(publicKeyRaw);
  if (point === undefined)
    return 'the public key is no point of the curve, or not encoded canonically';
  if (point.isSmallOrder()) return 'the public key has small order: it would fit any message';
  if (!point.isTorsionFree()) return 'the public key lies outside the prime-order group';
  return undefined;
});

type Point = ReturnType<typeof ed25519.Point.fromBytes>;

function decodePoint(bytes: Uint8Array): Point | undefined {
  try {
    return ed25519.Point.fromBytes(bytes, false);
  } catch {
    return undefined;
  }
}

/**
 * Does this signature stand over these very bytes? Strict RFC 8032: S < L, canonical encodings, no key of small
 * order. R must lie in the prime-order group too: then verifiers with and without the cofactor agree.
 */
export function verifyBytes(
  bytes: Uint8Array,
  signature: Ed25519Signature,
  publicKeyRaw: Uint8Array,
): boolean {
  const raw = decodeBase64url(signature.value);
  if (raw?.length !== SIGNATURE_BYTES || publicKeyProblem(publicKeyRaw) !== undefined) return false;
  return stands({ bytes, raw, publicKeyRaw });
}

interface Verification {
  readonly bytes: Uint8Array;
  readonly raw: Uint8Array;
  readonly publicKeyRaw: Uint8Array;
}

/** Named by all three: the digest of the bytes, the key and the signature, each of one length. */
const stands = memo(
  REMEMBERED,
  ({ bytes, raw, publicKeyRaw }: Verification) =>
    sha256Hex(bytes) + bytesToHex(publicKeyRaw) + bytesToHex(raw),
  ({ bytes, raw, publicKeyRaw }) => {
    const r = decodePoint(raw.slice(0, KEY_BYTES));
    if (r?.isTorsionFree() !== true) return false;
    try {
      return ed25519.verify(raw, bytes, publicKeyRaw, { zip215: false });
    } catch {
      return false;
    }
  },
);

/** Does the signature stand over the canonical form of `statement` (without its signature)? @throws ProtocolError malformed */
export function verifyStatement(
  statement: unknown,
  signature: Ed25519Signature,
  publicKeyRaw: Uint8Array,
): boolean {
  return verifyBytes(canonicalBytes(statement), signature, publicKeyRaw);
}

/** Signs the canonical form of a statement with a 32-byte Ed25519 seed. @throws ProtocolError malformed */
export function signStatement(statement: unknown, seed: Uint8Array): Ed25519Signature {
  return {
    kind: 'ed25519',
    value: encodeBase64url(ed25519.sign(canonicalBytes(statement), seed)),
  };
}

/** The raw 32-byte public key of a 32-byte seed. */
export function publicKeyOf(seed: Uint8Array): Uint8Array {
  return ed25519.getPublicKey(seed);
}
