import { evaluateRule, type RuleStanding } from './approval-rule.js';
import type { Roles } from './build-gate.js';
import { canonicalize, parseCanonical, sha256Hex, utf8 } from './canonical.js';
import {
  type DecisionStatement,
  decisionSchema,
  type Ed25519Signature,
  ed25519SignatureSchema,
  type GateDocument,
} from './documents.js';
import { instantToMs } from './instant.js';
import type { Policy } from './policy/schema.js';
import { ProtocolError, type RefusalReason } from './reasons.js';
import { groupsOf, rawKeyOf, type Register } from './register.js';
import { verifyStatement } from './signature.js';

/** A decision's own clock may be off by this much, and decides nothing else. */
const SKEW_MS = 120_000;
const DECISION_TYPE = 'countersign.decision.v1';

/** A decision as received: its statement, its signature if it has one, and the name of its bytes. */
export interface ReceivedDecision {
  readonly statement: DecisionStatement;
  readonly signature?: Ed25519Signature;
  /** The whole message in canonical form: what is stored, and hashed for idempotency. */
  readonly canonical: string;
  /** SHA-256 (hex) of the canonical message. */
  readonly sha256: string;
}

/**
 * Reads a decision: bytes or text as received, or a value that a data converter has parsed already. The shape is judged
 * by the type it claims. @throws ProtocolError too-large, malformed, not-canonical, type-mismatch
 */
export function readDecision(message: unknown): ReceivedDecision {
  const value =
    typeof message === 'string' || message instanceof Uint8Array
      ? parseCanonical(message)
      : parseCanonical(canonicalize(message));
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ProtocolError('malformed', 'a decision is an object');
  const { signature, ...members } = value as Record<string, unknown>;
  if (typeof members['type'] === 'string' && members['type'] !== DECISION_TYPE)
    throw new ProtocolError('type-mismatch', `a ${DECISION_TYPE} is expected`);
  const statement = decisionSchema.safeParse(members);
  if (!statement.success) throw new ProtocolError('malformed', 'not the shape of a decision');
  const signed = signature === undefined ? undefined : ed25519SignatureSchema.safeParse(signature);
  if (signed?.success === false)
    throw new ProtocolError('malformed', 'not the shape of a signature');
  const canonical = canonicalize(value);
  return {
    statement: statement.data,
    ...(signed === undefined ? {} : { signature: signed.data }),
    canonical,
    sha256: sha256Hex(utf8(canonical)),
  };
}

/** A gate as the database has it: the stored document, its digest and where it stands. */
export interface GateRecord {
  readonly document: GateDocument;
  readonly digest: string;
  readonly state: 'open' | 'granted' | 'rejected' | 'expired' | 'void';
}

export interface AcceptFacts {
  readonly instance: string;
  /** Of the gate that the statement names; undefined: there is none. */
  readonly gate: GateRecord | undefined;
  readonly register: Register;
  readonly policy: Policy;
  readonly roles: Roles;
  /** Persons whose approval of this gate is on record. */
  readonly counted: readonly string[];
  /** The database's clock at receipt, in ms. */
  readonly nowMs: number;
}

export type Acceptance =
  | {
      readonly accepted: true;
      readonly decision: ReceivedDecision;
      readonly groups: readonly string[];
    }
  | { readonly accepted: false; readonly reason: RefusalReason; readonly sha256?: string };

/** Judges one received decision. The checks stand in the protocol's order: the first that fails is the one named. */
export function acceptDecision(message: unknown, facts: AcceptFacts): Acceptance {
  let decision: ReceivedDecision;
  try {
    decision = readDecision(message);
  } catch (error) {
    if (error instanceof ProtocolError) return { accepted: false, reason: error.reason };
    throw error;
  }
  const reason = gateRefusal(decision, facts) ?? personRefusal(decision, facts);
  if (reason !== undefined) return { accepted: false, reason, sha256: decision.sha256 };
  const person = facts.register.person(decision.statement.approver);
  return {
    accepted: true,
    decision,
    groups: person === undefined ? [] : groupsOf(person, facts.policy),
  };
}

function gateRefusal(
  { statement }: ReceivedDecision,
  { instance, gate, nowMs }: AcceptFacts,
): RefusalReason | undefined {
  if (statement.instance !== instance) return 'instance-mismatch';
  if (gate?.document.gateId !== statement.gateId) return 'gate-unknown';
  if (gate.document.instance !== instance) return 'instance-mismatch';
  if (gate.state === 'expired') return 'gate-expired';
  if (gate.state !== 'open') return 'gate-closed';
  if (!isBeforeInstant(nowMs, gate.document.expiresAt)) return 'gate-expired';
  return statement.actionDigest === gate.digest ? undefined : 'digest-mismatch';
}

/** Anything unreadable counts as passed. */
export function isBeforeInstant(nowMs: number, instant: string): boolean {
  const ms = instantToMs(instant);
  return ms !== undefined && nowMs < ms;
}

function personRefusal(decision: ReceivedDecision, facts: AcceptFacts): RefusalReason | undefined {
  const { statement } = decision;
  const { gate, counted, policy, register } = facts;
  const unsound = signatureRefusal(decision, register, facts.nowMs);
  if (unsound !== undefined) return unsound;
  const person = register.person(statement.approver);
  if (person?.kind !== 'human' || !person.active) return 'not-human';
  const excluded = exclusionOf(statement.approver, facts);
  if (excluded !== undefined) return excluded;
  const rule = gate?.document.rule.allOf ?? [];
  const groups = groupsOf(person, policy);
  if (!rule.some(({ group }) => groups.includes(group))) return 'not-in-group';
  // Whoever has approved may still think better of it: a reject of theirs counts.
  if (statement.decision === 'approve' && counted.includes(statement.approver))
    return 'person-already-counted';
  return isSkewed(statement, gate, facts.nowMs) ? 'clock-skew' : undefined;
}

/** Why the signature of a decision does not stand now, or undefined. */
export function signatureRefusal(
  { statement, signature }: ReceivedDecision,
  register: Register,
  nowMs: number,
): RefusalReason | undefined {
  if (signature === undefined) return 'unsigned';
  const key = register.key(statement.keyId);
  const raw = key === undefined ? undefined : rawKeyOf(key);
  if (key === undefined || raw === undefined) return 'key-unknown';
  if (key.revoked) return 'key-revoked';
  if (nowMs < key.activeFromMs) return 'key-not-yet-active';
  if (key.person !== statement.approver) return 'key-not-of-approver';
  return verifyStatement(statement, signature, raw) ? undefined : 'signature-bad';
}

/** Why this person must not decide over the run, or undefined. */
export function exclusionOf(
  person: string,
  { gate, roles, policy }: Pick<AcceptFacts, 'gate' | 'roles' | 'policy'>,
): RefusalReason | undefined {
  const listed = gate?.document.excluded.includes(person) === true;
  // The gate's list is what was signed; roles that have changed since count as well, unless one person governs.
  const now = !policy.solo;
  if (person === roles.requester && (listed || now)) return 'excluded-requester';
  if (person === roles.agent && (listed || now)) return 'excluded-agent';
  if ((person === roles.owner || roles.formerOwners?.includes(person) === true) && (listed || now))
    return 'excluded-owner';
  if (person === roles.principalPerson && (listed || (now && policy.excludePrincipal)))
    return 'excluded-principal';
  // An owner at the gate's opening who is none any more.
  return listed ? 'excluded-owner' : undefined;
}

function isSkewed(
  { decidedAt }: DecisionStatement,
  gate: GateRecord | undefined,
  nowMs: number,
): boolean {
  const decidedMs = instantToMs(decidedAt);
  const openedMs = instantToMs(gate?.document.openedAt ?? '');
  return (
    decidedMs === undefined ||
    openedMs === undefined ||
    decidedMs < openedMs - SKEW_MS ||
    decidedMs > nowMs + SKEW_MS
  );
}

/** Where a gate's rule stands with the approvals on record. */
export function standingOf(
  gate: GateDocument,
  approvals: readonly { readonly person: string; readonly groups: readonly string[] }[],
): RuleStanding {
  return evaluateRule(gate.rule, approvals);
}
