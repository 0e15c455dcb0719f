import {
  cardSchema,
  gateSchema,
  type CardDocument,
  type DecideMessage,
  type DecisionStatement,
  type Ed25519Signature,
  type PolicyMessage,
  type PolicyStatement,
  type GateDocument,
  type ResolveMessage,
  type ResolveStatement,
  type ResumeMessage,
  type ResumeStatement,
} from '../domain/documents.js';
import type { BreakGlassMessage, BreakGlassStatement } from '../domain/break-glass-documents.js';
import type { CloseCaseMessage, CloseCaseStatement } from '../domain/close-case.js';
import type { RevokeMessage, RevokeStatement } from '../domain/key-statements.js';
import { canonicalBytes, digestOfBytes, parseCanonical, utf8 } from '../domain/canonical.js';
import type { Digest } from '../domain/ids.js';
import { ProtocolError } from '../domain/reasons.js';
import type { SigningKey } from './keys.js';

/** Gate and card as received: the exact canonical texts, from wherever they came. */
export interface ReceivedGate {
  readonly document: string;
  readonly card: string;
}

/** Gate and card whose digests were computed here. Only such a gate can be signed. */
export interface VerifiedGate {
  readonly gate: GateDocument;
  readonly card: CardDocument;
  /** The `actionDigest` of a decision: SHA-256 over the gate document. */
  readonly digest: Digest;
}

/** The documents do not fit each other, or are not what they say they are: nothing may be signed. */
export class GateNotTrue extends Error {
  override readonly name = 'GateNotTrue';
  constructor(reason: string) {
    super(`the gate was not signed: ${reason}. Tell whoever runs this system; do not approve.`);
  }
}

const CARD_BYTES_MAX = 64 * 1024;

/**
 * Parses both texts strictly, computes both digests, and checks that the card tells of the gate's own actions.
 * What is shown to a person must be what is returned here. @throws GateNotTrue
 */
export function verifyGate(received: ReceivedGate, instance: string): VerifiedGate {
  const gate = parse(received.document, 'gate document', (value) => gateSchema.safeParse(value));
  const card = parse(received.card, 'card', (value) => cardSchema.safeParse(value), CARD_BYTES_MAX);
  const shown = card.actions.map((action) => action.actionDigest);
  const checks: readonly (readonly [boolean, string])[] = [
    [gate.instance === instance, 'it belongs to another installation'],
    [digestOfBytes(utf8(received.card)) === gate.cardDigest, 'the card is not the one it names'],
    [card.instance === gate.instance, 'the card belongs to another installation'],
    [card.runId === gate.runId, 'the card tells of another run'],
    [card.environment === gate.environment, 'the card tells of another environment'],
    [card.policyDigest === gate.policyDigest, 'the card tells of another policy'],
    [gate.gateId.startsWith(`provision/${gate.runId}:`), 'its id names another run'],
    [
      shown.length === gate.actions.length &&
        shown.every((digest, i) => digest === gate.actions[i]),
      'the card does not show exactly the actions that would be approved',
    ],
  ];
  const broken = checks.find(([holds]) => !holds);
  if (broken !== undefined) throw new GateNotTrue(broken[1]);
  return { gate, card, digest: digestOfBytes(utf8(received.document)) };
}

type Parsed<T> = { success: true; data: T } | { success: false };

function parse<T>(
  text: string,
  what: string,
  schema: (value: unknown) => Parsed<T>,
  maxBytes?: number,
): T {
  let value: unknown;
  try {
    value = parseCanonical(text, maxBytes);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new GateNotTrue(`the ${what} is not in canonical form (${error.reason})`);
  }
  const result = schema(value);
  if (!result.success) throw new GateNotTrue(`the ${what} is malformed`);
  return result.data;
}

function signatureOver(statement: object, key: SigningKey): Ed25519Signature {
  return { kind: 'ed25519', value: key.sign(canonicalBytes(statement)) };
}

export interface Deciding {
  readonly decision: DecisionStatement['decision'];
  /** Person id, `p_…`. */
  readonly approver: string;
  readonly surface: DecisionStatement['surface'];
  /** By the control database's clock. */
  readonly decidedAt: string;
  readonly reason?: string;
}

/** A message as a key file signs it. */
type Signed<T> = T & { readonly signature: Ed25519Signature };

/** Signs one decision over a gate that was verified, and shown, here. */
export function signDecision(
  verified: VerifiedGate,
  deciding: Deciding,
  key: SigningKey,
): Signed<DecideMessage> {
  const statement: DecisionStatement = {
    type: 'countersign.decision.v1',
    instance: verified.gate.instance,
    gateId: verified.gate.gateId,
    actionDigest: verified.digest,
    keyId: key.keyId,
    ...deciding,
  };
  return { ...statement, signature: signatureOver(statement, key) };
}

/** Signs that one person passes a gate alone, over a gate that was verified, and shown, here. */
export function signBreakGlass(
  verified: VerifiedGate,
  of: Pick<BreakGlassStatement, 'approver' | 'decidedAt' | 'expiresAt' | 'reason'>,
  key: SigningKey,
): Signed<BreakGlassMessage> {
  const statement: BreakGlassStatement = {
    type: 'countersign.break-glass.v1',
    instance: verified.gate.instance,
    runId: verified.gate.runId,
    gateId: verified.gate.gateId,
    actionDigest: verified.digest,
    keyId: key.keyId,
    ...of,
  };
  return { ...statement, signature: signatureOver(statement, key) };
}

/** Signs a way on for a stuck step. */
export function signResolve(
  statement: Omit<ResolveStatement, 'type' | 'keyId'>,
  key: SigningKey,
): Signed<ResolveMessage> {
  const whole: ResolveStatement = {
    type: 'countersign.resolve.v1',
    keyId: key.keyId,
    ...statement,
  };
  return { ...whole, signature: signatureOver(whole, key) };
}

/** Signs the lifting of a stop, or of a hold. */
export function signPolicy(
  statement: Omit<PolicyStatement, 'type' | 'keyId'>,
  key: SigningKey,
): Signed<PolicyMessage> {
  const whole: PolicyStatement = { type: 'countersign.policy.v1', keyId: key.keyId, ...statement };
  return { ...whole, signature: signatureOver(whole, key) };
}

export function signResume(
  statement: Omit<ResumeStatement, 'type' | 'keyId'>,
  key: SigningKey,
): Signed<ResumeMessage> {
  const whole: ResumeStatement = { type: 'countersign.resume.v1', keyId: key.keyId, ...statement };
  return { ...whole, signature: signatureOver(whole, key) };
}

/** Signs that a key ends. */
export function signRevoke(
  statement: Omit<RevokeStatement, 'type' | 'keyId'>,
  key: SigningKey,
): Signed<RevokeMessage> {
  const whole: RevokeStatement = { type: 'countersign.revoke.v1', keyId: key.keyId, ...statement };
  return { ...whole, signature: signatureOver(whole, key) };
}

/** Signs that a case is looked after. */
export function signCloseCase(
  statement: Omit<CloseCaseStatement, 'type' | 'keyId'>,
  key: SigningKey,
): CloseCaseMessage {
  const whole: CloseCaseStatement = {
    type: 'countersign.close-case.v1',
    keyId: key.keyId,
    ...statement,
  };
  return { ...whole, signature: signatureOver(whole, key) };
}
