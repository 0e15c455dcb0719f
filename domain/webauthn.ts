import { p256 } from '@noble/curves/nist.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes } from '@noble/hashes/utils.js';
import { decodeBase64url, encodeBase64url } from './base64url.js';
import { utf8 } from './canonical.js';
import type { WebauthnSignature } from './documents.js';
import type { PublicKey } from './public-key.js';
import type { RefusalReason } from './reasons.js';
import { verifyRsa } from './rsa.js';
import { verifyBytes } from './signature.js';
import type { RelyingParty } from './trust.js';

/** What an authenticator says of itself beside its signature. */
export interface AssertionFacts {
  readonly counter: number;
  /** BE: the key may be copied to other devices. */
  readonly backupEligible: boolean;
  /** BS: it is. */
  readonly backedUp: boolean;
}

/** A passkey as the register has it, for the check of one assertion. */
export interface Credential {
  readonly key: PublicKey;
  readonly credentialId: string;
  readonly rpId: string;
  /** The person's handle at the authenticator, base64url. */
  readonly handle: string;
}

export type AssertionVerdict =
  | { readonly good: true; readonly facts: AssertionFacts }
  | { readonly good: false; readonly reason: RefusalReason };

const HASH_BYTES = 32;
const PLAIN_BYTES = 37;
const UP = 0x01;
const UV = 0x04;
const BE = 0x08;
const BS = 0x10;
const AT = 0x40;
const ED = 0x80;

/**
 * Does this assertion of a passkey stand over these very bytes? Every check of the protocol but the counter's, in its
 * order; the first that fails is named. A pure function of its arguments: it is asked again at every effect.
 */
export function verifyAssertion(
  bytes: Uint8Array,
  signature: WebauthnSignature,
  credential: Credential | undefined,
  relyingParty: RelyingParty | undefined,
): AssertionVerdict {
  const read = readAssertion(signature);
  if (read === undefined) return { good: false, reason: 'webauthn-malformed' };
  const reason =
    clientRefusal(read.client, sha256(bytes), relyingParty) ??
    deviceRefusal(read, relyingParty) ??
    credentialRefusal(signature, credential, relyingParty) ??
    (credential !== undefined && isSigned(read, credential.key) ? undefined : 'webauthn-signature');
  return reason === undefined ? { good: true, facts: factsOf(read) } : { good: false, reason };
}

interface Read {
  readonly client: Readonly<Record<string, unknown>>;
  readonly clientBytes: Uint8Array;
  readonly device: Uint8Array;
  readonly signature: Uint8Array;
}

function readAssertion(signature: WebauthnSignature): Read | undefined {
  const clientBytes = decodeBase64url(signature.clientDataJSON);
  const device = decodeBase64url(signature.authenticatorData);
  const raw = decodeBase64url(signature.signature);
  if (clientBytes === undefined || device === undefined || raw === undefined) return undefined;
  const flags = device[HASH_BYTES] ?? 0;
  // More than the plain part is there only if its flags say so.
  if (device.length < PLAIN_BYTES) return undefined;
  if (device.length > PLAIN_BYTES && (flags & (AT | ED)) === 0) return undefined;
  const client = parseObject(clientBytes);
  return client === undefined ? undefined : { client, clientBytes, device, signature: raw };
}

function parseObject(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** What an assertion says of its authenticator, whether it stands or not; undefined when it cannot be read. */
export function assertionFacts(signature: WebauthnSignature): AssertionFacts | undefined {
  const read = readAssertion(signature);
  return read === undefined ? undefined : factsOf(read);
}

const flagsOf = ({ device }: Read): number => device[HASH_BYTES] ?? 0;

function factsOf(read: Read): AssertionFacts {
  const at = HASH_BYTES + 1;
  const counter = read.device.slice(at, at + 4).reduce((sum, byte) => sum * 256 + byte, 0);
  const flags = flagsOf(read);
  return { counter, backupEligible: (flags & BE) !== 0, backedUp: (flags & BS) !== 0 };
}

/** What the browser says: which ceremony, over what, at which page. */
function clientRefusal(
  client: Readonly<Record<string, unknown>>,
  challenge: Uint8Array,
  relyingParty: RelyingParty | undefined,
): RefusalReason | undefined {
  if (client['type'] !== 'webauthn.get') return 'webauthn-type';
  if (client['challenge'] !== encodeBase64url(challenge)) return 'webauthn-challenge';
  const origin = client['origin'];
  if (typeof origin !== 'string' || relyingParty?.origins.includes(origin) !== true)
    return 'webauthn-origin';
  const within = client['crossOrigin'];
  if ((within !== undefined && within !== false) || 'topOrigin' in client)
    return 'webauthn-cross-origin';
  return undefined;
}

/** What the authenticator says: for which site, and that a person was there and was recognised. */
function deviceRefusal(
  read: Read,
  relyingParty: RelyingParty | undefined,
): RefusalReason | undefined {
  const site = sha256(utf8(relyingParty?.rpId ?? ''));
  if (!site.every((byte, index) => read.device[index] === byte)) return 'webauthn-rp-id';
  const flags = flagsOf(read);
  if ((flags & UP) === 0) return 'webauthn-user-presence';
  if ((flags & UV) === 0) return 'webauthn-user-verification';
  // A key that is copied and may not be: no authenticator says so.
  return (flags & BS) !== 0 && (flags & BE) === 0 ? 'webauthn-backup-flags' : undefined;
}

function credentialRefusal(
  signature: WebauthnSignature,
  credential: Credential | undefined,
  relyingParty: RelyingParty | undefined,
): RefusalReason | undefined {
  if (credential?.credentialId !== signature.credentialId) return 'webauthn-credential';
  if (credential.rpId !== relyingParty?.rpId) return 'webauthn-rp-id';
  const { userHandle } = signature;
  return userHandle === undefined || userHandle === credential.handle
    ? undefined
    : 'webauthn-user-handle';
}

function isSigned(read: Read, key: PublicKey): boolean {
  const message = concatBytes(read.device, sha256(read.clientBytes));
  switch (key.kind) {
    case 'rsa':
      return verifyRsa(message, read.signature, key.rsa);
    case 'ed25519':
      return verifyBytes(
        message,
        { kind: 'ed25519', value: encodeBase64url(read.signature) },
        key.raw,
      );
    case 'p256':
      return isSignedP256(message, read.signature, key.point);
  }
}

function isSignedP256(message: Uint8Array, signature: Uint8Array, point: Uint8Array): boolean {
  try {
    // Authenticators write either of the two S that fit, so neither is refused.
    return p256.verify(signature, message, point, { format: 'der', lowS: false });
  } catch {
    return false;
  }
}

/** May this counter follow the stored one? Two zeros may: a synced passkey does not count. */
export function counterFollows(counter: number, stored: number): boolean {
  return (counter === 0 && stored === 0) || counter > stored;
}
