import { canonicalStatement, digestOf, parseCanonical } from '../domain/canonical.js';
import {
  checkSignature,
  counterRefusal,
  type SignatureVerdict,
} from '../domain/check-signature.js';
import type { Signature } from '../domain/documents.js';
import { instantToMs } from '../domain/instant.js';
import type { Digest } from '../domain/ids.js';
import type { Policy } from '../domain/policy/schema.js';
import { ProtocolError } from '../domain/reasons.js';
import { groupsOf } from '../domain/register.js';
import type { PersonRecord, Register } from '../domain/register.js';
import type { RelyingParty } from '../domain/trust.js';

/** A statement's own clock may be off by this much. In ms. */
const SKEW_MS = 120_000;

/** What every signed order to a run has in common. */
export interface Signed {
  readonly instance: string;
  readonly by: string;
  readonly keyId: string;
  readonly at: string;
  readonly signature: Signature;
}

/** The message as received, in canonical form: a string is parsed strictly, a value is made canonical. */
export function readMessage(message: unknown): { readonly value: unknown; readonly text: string } {
  const text = typeof message === 'string' ? message : canonicalStatement(message);
  return { value: parseCanonical(text), text };
}

export interface OrderFacts {
  readonly instance: string;
  readonly register: Register;
  /** Undefined: none is in force yet, and only pinned roots sign. */
  readonly policy: Policy | undefined;
  readonly relyingParty?: RelyingParty | undefined;
  readonly nowMs: number;
  /** The statement must not be older than this moment: what it is about had not happened yet. */
  readonly sinceMs: number;
  /** Groups whose members may sign this; absent: those that are asked at gates. */
  readonly groups?: readonly string[];
  /** Pinned roots, whose word needs no group. */
  readonly rootKeys?: readonly string[];
  /** A person who may sign this whatever their groups are. */
  readonly entitled?: string | undefined;
  /** It was taken before, and its counter was spent then. */
  readonly again?: true;
}

/** A signed order that counts, with what a passkey said of itself: its counter is spent with what follows. */
export type OrderVerdict =
  | { readonly good: true; readonly signed: SignatureVerdict & { readonly good: true } }
  | { readonly good: false; readonly reason: string };

const no = (reason: string): OrderVerdict => ({ good: false, reason });

/**
 * Does a signed order count? In this order: instance, key, person, signature, counter, group, clock. Who may approve may
 * also resolve and resume: the groups are those that the policy in force asks at its gates.
 */
export function judgeOrder(message: Signed, of: OrderFacts): OrderVerdict {
  const { signature, ...statement } = message;
  if (message.instance !== of.instance) return no('instance-mismatch');
  const { by: person, keyId } = message;
  const signed = checkSignature({ statement, signature, keyId, person }, of);
  if (!signed.good) return no(signed.reason);
  const counter = of.again === true ? undefined : counterRefusal(signed);
  if (counter !== undefined) return no(counter);
  const record = of.register.person(person);
  if (record?.kind !== 'human' || !record.active) return no('not-human');
  const may = of.entitled === person || of.rootKeys?.includes(keyId) === true;
  if (!may && !isInGroup(record, of)) return no('not-in-group');
  return isTimely(message.at, of) ? { good: true, signed } : no('clock-skew');
}

function isInGroup(person: PersonRecord, { groups, policy }: OrderFacts): boolean {
  if (policy === undefined) return false;
  const asked = groups ?? policy.approvals.flatMap(({ allOf }) => allOf.map(({ group }) => group));
  return groupsOf(person, policy).some((group) => asked.includes(group));
}

function isTimely(at: string, { nowMs, sinceMs }: OrderFacts): boolean {
  const atMs = instantToMs(at);
  return atMs !== undefined && atMs <= nowMs + SKEW_MS && atMs >= sinceMs - SKEW_MS;
}

/**
 * Names a signed order for ever, by its statement: the signature of a passkey has a second spelling that fits as well,
 * and an order must not count again under it.
 */
export function orderDigestOf(message: { readonly signature: Signature }): Digest {
  const members = Object.entries(message).filter(([name]) => name !== 'signature');
  return digestOf(Object.fromEntries(members));
}

/** The reason of an error that a message's bytes brought, or the error itself again. */
export function reasonOf(error: unknown): string {
  if (error instanceof ProtocolError) return error.reason;
  throw error;
}
