import { z } from 'zod';
import { checkSignature } from './check-signature.js';
import { digestOf } from './canonical.js';
import {
  digestSchema,
  instanceSchema,
  instantSchema,
  keyIdSchema,
  personIdSchema,
  type Signature,
  signatureSchema,
} from './documents.js';
import type { Digest } from './ids.js';
import { KEY_ALGORITHMS, readPublicKey } from './public-key.js';
import type { RefusalReason } from './reasons.js';
import { type KeyRecord, registerOf } from './register.js';
import { countCharacters } from './text.js';
import type { RelyingParty } from './trust.js';
import { assertionFacts } from './webauthn.js';

/** How approver keys come and go: signed by the new key, admitted by others, revoked by one word. */

const base64url = z.string().regex(/^[A-Za-z0-9_-]{1,2000}$/);
const reason = z
  .string()
  .min(1)
  .refine((value) => countCharacters(value) <= 2_000, 'at most 2,000 characters');

const enrolMembers = {
  type: z.literal('countersign.enrol.v1'),
  instance: instanceSchema,
  person: personIdSchema,
  keyId: keyIdSchema,
  alg: z.enum(KEY_ALGORITHMS),
  publicKey: base64url,
  /** Of a passkey. */
  credentialId: base64url.optional(),
  rpId: z.string().min(1).max(253).optional(),
  label: z.string().max(200),
  nonce: instanceSchema,
  enrolledAt: instantSchema,
};
export const enrolSchema = z.strictObject(enrolMembers);
export type EnrolStatement = z.infer<typeof enrolSchema>;
/** Signed by the new key itself: nobody enrols a key that they do not hold. */
export const enrolMessageSchema = z.strictObject({ ...enrolMembers, signature: signatureSchema });
export type EnrolMessage = z.infer<typeof enrolMessageSchema>;

const approveEnrolMembers = {
  type: z.literal('countersign.approve-enrol.v1'),
  instance: instanceSchema,
  /** Digest of the enrol statement. */
  enrolment: digestSchema,
  by: personIdSchema,
  keyId: keyIdSchema,
  reason: reason.optional(),
  at: instantSchema,
};
export const approveEnrolSchema = z.strictObject(approveEnrolMembers);
export type ApproveEnrolStatement = z.infer<typeof approveEnrolSchema>;
export const approveEnrolMessageSchema = z.strictObject({
  ...approveEnrolMembers,
  signature: signatureSchema,
});
export type ApproveEnrolMessage = z.infer<typeof approveEnrolMessageSchema>;

/** A signed message without its signature. */
export function statementOf<T extends { readonly signature: Signature }>(
  message: T,
): Omit<T, 'signature'> {
  const members = Object.entries(message).filter(([name]) => name !== 'signature');
  return Object.fromEntries(members) as Omit<T, 'signature'>;
}

/** Names an enrolment for ever. */
export const enrolmentOf = (message: EnrolMessage): Digest => digestOf(statementOf(message));

export type Possession =
  | { readonly good: true; readonly key: KeyRecord }
  | { readonly good: false; readonly reason: RefusalReason | 'key-unsound' };

/**
 * Has the new key signed its own enrolment? Answers the key as the register will have it. What a passkey says of itself
 * (its handle, whether it may be copied) is read from what it signed.
 */
export function possessionOf(
  message: EnrolMessage,
  relyingParty: RelyingParty | undefined,
): Possession {
  const { alg, keyId, person, publicKey, signature } = message;
  const read = readPublicKey(alg, publicKey);
  // guard: a key of small order, or one that is not what its id names, never enters the register.
  if (typeof read === 'string' || read.keyId !== keyId)
    return { good: false, reason: 'key-unsound' };
  const bare = { keyId, person, algorithm: alg, publicKey, activeFromMs: 0, revoked: false };
  const key = alg === 'ed25519' ? bare : passkeyOf(message, bare, relyingParty);
  if (key === undefined) return { good: false, reason: 'webauthn-credential' };
  const register = registerOf([], [key]);
  const statement = statementOf(message);
  const verdict = checkSignature(
    { statement, signature, keyId, person },
    { register, relyingParty, nowMs: 0 },
  );
  return verdict.good ? { good: true, key } : verdict;
}

function passkeyOf(
  { credentialId, rpId, signature }: EnrolMessage,
  bare: KeyRecord,
  relyingParty: RelyingParty | undefined,
): KeyRecord | undefined {
  if (credentialId === undefined || rpId === undefined || signature.kind !== 'webauthn')
    return undefined;
  const handle = signature.userHandle;
  // 64 random bits or more.
  if (handle === undefined || handle.length < 11) return undefined;
  const facts = assertionFacts(signature);
  if (facts === undefined || relyingParty === undefined) return undefined;
  const { backupEligible, counter } = facts;
  return { ...bare, passkey: { credentialId, rpId, handle, counter, backupEligible } };
}
