import { canonicalize, digestOf, parseCanonical } from '../domain/canonical.js';
import { decodeBase64url } from '../domain/base64url.js';
import type { Ed25519Signature } from '../domain/documents.js';
import { instantToMs } from '../domain/instant.js';
import type { Digest } from '../domain/ids.js';
import type { Policy } from '../domain/policy/schema.js';
import { ProtocolError } from '../domain/reasons.js';
import { groupsOf } from '../domain/register.js';
import type { Register } from '../domain/register.js';
import { verifyStatement } from '../domain/signature.js';

/** A statement's own clock may be off by this much. In ms. */
const SKEW_MS = 120_000;

/** What every signed order to a run has in common. */
export interface Signed {
  readonly instance: string;
  readonly by: string;
  readonly keyId: string;
  readonly at: string;
  readonly signature: Ed25519Signature;
}

/** The message as received, in canonical form: a string is parsed strictly, a value is made canonical. */
export function readMessage(message: unknown): { readonly value: unknown; readonly text: string } {
  const text =
    typeof message === 'string' ? canonicalize(parseCanonical(message)) : canonicalize(message);
  return { value: parseCanonical(text), text };
}

/**
 * Why a signed order does not count, or undefined. In this order: instance, key, person, signature, group, clock. Who
 * may approve may also resolve and resume: the groups are those that the policy in force asks at its gates.
 */
export function signedRefusal(
  message: Signed,
  of: {
    readonly instance: string;
    readonly register: Register;
    readonly policy: Policy;
    readonly nowMs: number;
    /** The statement must not be older than this moment: what it is about had not happened yet. */
    readonly sinceMs: number;
    /** Groups whose members may sign this; absent: those that are asked at gates. */
    readonly groups?: readonly string[];
  },
): string | undefined {
  const { signature, ...statement } = message;
  if (message.instance !== of.instance) return 'instance-mismatch';
  const key = of.register.key(message.keyId);
  const publicKey = key === undefined ? undefined : decodeBase64url(key.publicKey);
  if (key === undefined || publicKey === undefined) return 'key-unknown';
  if (key.revoked) return 'key-revoked';
  if (of.nowMs < key.activeFromMs) return 'key-not-yet-active';
  if (key.person !== message.by) return 'key-not-of-approver';
  if (!verifyStatement(statement, signature, publicKey)) return 'signature-bad';
  const person = of.register.person(message.by);
  if (person?.kind !== 'human' || !person.active) return 'not-human';
  const asked =
    of.groups ?? of.policy.approvals.flatMap(({ allOf }) => allOf.map(({ group }) => group));
  if (!groupsOf(person, of.policy).some((group) => asked.includes(group))) return 'not-in-group';
  const atMs = instantToMs(message.at);
  if (atMs === undefined || atMs > of.nowMs + SKEW_MS || atMs < of.sinceMs - SKEW_MS)
    return 'clock-skew';
  return undefined;
}

/** Names a signed order for ever, signature included. */
export const orderDigestOf = (value: unknown): Digest => digestOf(value);

/** The reason of an error that a message's bytes brought, or the error itself again. */
export function reasonOf(error: unknown): string {
  if (error instanceof ProtocolError) return error.reason;
  throw error;
}
