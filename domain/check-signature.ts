import { canonicalBytes } from './canonical.js';
import type { Signature } from './documents.js';
import type { RefusalReason } from './reasons.js';
import { type KeyRecord, publicKeyOfRecord, type Register } from './register.js';
import { verifyBytes } from './signature.js';
import type { RelyingParty } from './trust.js';
import { type AssertionFacts, counterFollows, verifyAssertion } from './webauthn.js';

/** A signed statement, its signature, and who it says has signed. */
export interface SignedStatement {
  /** Its members without `signature`. */
  readonly statement: object;
  readonly signature: Signature | undefined;
  readonly keyId: string;
  readonly person: string;
}

export interface SignatureFacts {
  readonly register: Pick<Register, 'key'>;
  readonly relyingParty?: RelyingParty | undefined;
  /** The moment at which the key has to count, in ms. */
  readonly nowMs: number;
  /** When what is signed was accepted, in ms: a key that was retired later still counts. Absent: it is judged now. */
  readonly acceptedMs?: number;
}

export type SignatureVerdict =
  | { readonly good: true; readonly key: KeyRecord; readonly assertion?: AssertionFacts }
  | { readonly good: false; readonly reason: RefusalReason };

const no = (reason: RefusalReason): SignatureVerdict => ({ good: false, reason });

/**
 * Does the signature stand, by a key that counts and belongs to this person? Ed25519 or a passkey, as enrolled. The
 * counter is not looked at: see `counterRefusal`. A pure function of its arguments.
 */
export function checkSignature(signed: SignedStatement, facts: SignatureFacts): SignatureVerdict {
  const { signature, statement } = signed;
  if (signature === undefined) return no('unsigned');
  const key = facts.register.key(signed.keyId);
  const publicKey = key === undefined ? undefined : publicKeyOfRecord(key);
  if (key === undefined || publicKey === undefined) return no('key-unknown');
  if (key.revoked && !stoodWhenRetired(key, facts.acceptedMs)) return no('key-revoked');
  if (facts.nowMs < key.activeFromMs) return no('key-not-yet-active');
  if (key.person !== signed.person) return no('key-not-of-approver');
  const bytes = canonicalBytes(statement);
  const isFile = (key.algorithm ?? 'ed25519') === 'ed25519';
  if (signature.kind === 'ed25519') {
    // guard: a passkey never signs statements themselves, so that no page can have one signed without its checks.
    const stands =
      isFile && publicKey.kind === 'ed25519' && verifyBytes(bytes, signature, publicKey.raw);
    return stands ? { good: true, key } : no('signature-bad');
  }
  const credential =
    isFile || key.passkey === undefined ? undefined : { ...key.passkey, key: publicKey };
  const verdict = verifyAssertion(bytes, signature, credential, facts.relyingParty);
  if (!verdict.good) return verdict;
  // A key that could be copied and now cannot, or the other way round, is another key.
  if (verdict.facts.backupEligible !== key.passkey?.backupEligible)
    return no('webauthn-backup-flags');
  return { good: true, key, assertion: verdict.facts };
}

const stoodWhenRetired = (key: KeyRecord, acceptedMs: number | undefined): boolean =>
  key.retiredAtMs !== undefined && acceptedMs !== undefined && acceptedMs < key.retiredAtMs;

/** Why a statement's counter does not count, at its acceptance and never again; undefined for a key file. */
export function counterRefusal(verdict: SignatureVerdict): RefusalReason | undefined {
  if (!verdict.good || verdict.assertion === undefined) return undefined;
  const stored = verdict.key.passkey?.counter ?? 0;
  return counterFollows(verdict.assertion.counter, stored) ? undefined : 'webauthn-counter';
}
