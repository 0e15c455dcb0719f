import { z } from 'zod';
import { checkSignature } from './check-signature.js';
import { digestOf } from './canonical.js';
import {
  digestSchema,
  instanceSchema,
  instantSchema,
  keyIdSchema,
  personIdSchema,
  orderMembers,
  signable,
  type Signature,
} from './documents.js';
import type { Digest } from './ids.js';
import { KEY_ALGORITHMS, readPublicKey } from './public-key.js';
import type { RefusalReason } from './reasons.js';
import { type KeyRecord, registerOf } from './register.js';
import type { RelyingParty } from './trust.js';
import { assertionFacts } from './webauthn.js';

/** How approver keys come and go: signed by the new key, admitted by others, revoked by one word. */

/** As policies write them. */
const groupName = z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/);
const base64url = z.string().regex(/^[A-Za-z0-9_-]{1,2000}$/);

const enrolForms = signable({
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
});
export const enrolSchema = enrolForms.statement;
export type EnrolStatement = z.infer<typeof enrolSchema>;
/** Signed by the new key itself: nobody enrols a key that they do not hold. */
export const enrolMessageSchema = enrolForms.message;
export type EnrolMessage = z.infer<typeof enrolMessageSchema>;

const approveEnrolForms = signable({
  ...orderMembers,
  type: z.literal('countersign.approve-enrol.v1'),
  /** Digest of the enrol statement. */
  enrolment: digestSchema,
  /** The groups that the person is to have; where roots are pinned no others count. */
  groups: z.array(groupName).max(20).optional(),
  reason: orderMembers.reason.optional(),
});
export const approveEnrolSchema = approveEnrolForms.statement;
export type ApproveEnrolStatement = z.infer<typeof approveEnrolSchema>;
export const approveEnrolMessageSchema = approveEnrolForms.message;
export type ApproveEnrolMessage = z.infer<typeof approveEnrolMessageSchema>;

const revokeForms = signable({
  ...orderMembers,
  type: z.literal('countersign.revoke.v1'),
  /** The key that ends; `keyId` is the one that signs, and may be the same. */
  revokes: keyIdSchema,
  as: z.enum(['retired', 'compromised']),
  /** Of a compromised key: since when somebody else may have used it; absent: ever. */
  since: instantSchema.optional(),
});
/** Ends a key from the moment it is recorded. One signature: its person's own, or an administrator's. */
export const revokeSchema = revokeForms.statement;
export type RevokeStatement = z.infer<typeof revokeSchema>;
export const revokeMessageSchema = revokeForms.message.refine(
  ({ as, at, since }) => since === undefined || (as === 'compromised' && since <= at),
  'only a compromised key has a `since`, and it is not in the future',
);
export type RevokeMessage = z.infer<typeof revokeMessageSchema>;

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
