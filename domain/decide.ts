import { evaluateRule, type RuleStanding } from './approval-rule.js';
import type { Roles } from './build-gate.js';
import { canonicalBytes, canonicalize, parseCanonical, sha256Hex, utf8 } from './canonical.js';
import { checkSignature, counterRefusal, type SignatureVerdict } from './check-signature.js';
import {
  type DecisionStatement,
  decisionSchema,
  type GateDocument,
  type Signature,
  signatureSchema,
} from './documents.js';
import { type GroupEvidence, groupEvidence } from './group-evidence.js';
import { instantToMs } from './instant.js';
import type { Policy } from './policy/schema.js';
import { ProtocolError, type RefusalReason } from './reasons.js';
import { groupsOf, type PersonRecord, type Register } from './register.js';
import type { RelyingParty } from './trust.js';
import type { AssertionFacts } from './webauthn.js';

/** A decision's own clock may be off by this much, and decides nothing else. */
const SKEW_MS = 120_000;
const DECISION_TYPE = 'countersign.decision.v1';

/** A decision as received: its statement, its signature if it has one, and the name of its bytes. */
export interface ReceivedDecision {
  readonly statement: DecisionStatement;
  readonly signature?: Signature;
  /** The whole message in canonical form: what is stored, and hashed for idempotency. */
  readonly canonical: string;
  /** SHA-256 (hex) of the canonical message. */
  readonly sha256: string;
  /** SHA-256 (hex) of the statement alone: some signatures have a second spelling, a statement has not. */
  readonly statementSha256: string;
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
  const signed = signature === undefined ? undefined : signatureSchema.safeParse(signature);
  if (signed?.success === false)
    throw new ProtocolError('malformed', 'not the shape of a signature');
  const canonical = canonicalize(value);
  return {
    statement: statement.data,
    ...(signed === undefined ? {} : { signature: signed.data }),
    canonical,
    sha256: sha256Hex(utf8(canonical)),
    statementSha256: sha256Hex(canonicalBytes(statement.data)),
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
  /** Persons whose approval of this gate stands on record. */
  readonly counted: readonly string[];
  /** When this person last withdrew from this gate, by their own statement, in ms. */
  readonly withdrawnAtMs?: number | undefined;
  /** An effect has used the grant of this gate already. */
  readonly used?: boolean;
  readonly relyingParty?: RelyingParty | undefined;
  /** The database's clock at receipt, in ms. */
  readonly nowMs: number;
}

export type Acceptance =
  | {
      readonly accepted: true;
      readonly decision: ReceivedDecision;
      /** Where each group that counted came from. */
      readonly groups: readonly GroupEvidence[];
      /** Of a passkey: its counter is advanced in the transaction that accepts. */
      readonly assertion?: AssertionFacts;
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
  const no = (reason: RefusalReason): Acceptance => ({
    accepted: false,
    reason,
    sha256: decision.sha256,
  });
  const atGate = gateRefusal(decision, facts);
  if (atGate !== undefined) return no(atGate);
  const signed = signatureVerdict(decision, facts);
  if (!signed.good) return no(signed.reason);
  const reason =
    deviceRefusal(signed, facts) ?? counterRefusal(signed) ?? personRefusal(decision, facts);
  if (reason !== undefined) return no(reason);
  const person = facts.register.person(decision.statement.approver);
  return {
    accepted: true,
    decision,
    groups: person === undefined ? [] : groupEvidence(person, facts.policy),
    ...(signed.assertion === undefined ? {} : { assertion: signed.assertion }),
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
  // What was granted can be taken back until an effect has used it.
  const takesBack = statement.decision === 'withdraw' && gate.state === 'granted';
  if (gate.state !== 'open' && !takesBack) return 'gate-closed';
  if (!isBeforeInstant(nowMs, gate.document.expiresAt)) return 'gate-expired';
  return statement.actionDigest === gate.digest ? undefined : 'digest-mismatch';
}

/** Anything unreadable counts as passed. */
export function isBeforeInstant(nowMs: number, instant: string): boolean {
  const ms = instantToMs(instant);
  return ms !== undefined && nowMs < ms;
}

function personRefusal(
  { statement }: ReceivedDecision,
  facts: AcceptFacts,
): RefusalReason | undefined {
  const { gate, register } = facts;
  const person = register.person(statement.approver);
  if (person?.kind !== 'human' || !person.active) return 'not-human';
  const reason =
    statement.decision === 'withdraw'
      ? withdrawalRefusal(statement, facts)
      : decisionRefusal(statement, person, facts);
  return reason ?? (isSkewed(statement, gate, facts.nowMs) ? 'clock-skew' : undefined);
}

/** Taking back asks for nothing but an approve of one's own that no effect has used. */
function withdrawalRefusal(
  { approver }: DecisionStatement,
  { counted, used }: AcceptFacts,
): RefusalReason | undefined {
  if (!counted.includes(approver)) return 'nothing-to-withdraw';
  return used === true ? 'already-used' : undefined;
}

function decisionRefusal(
  statement: DecisionStatement,
  person: PersonRecord,
  facts: AcceptFacts,
): RefusalReason | undefined {
  const excluded = exclusionOf(statement.approver, facts);
  if (excluded !== undefined) return excluded;
  const rule = facts.gate?.document.rule.allOf ?? [];
  const groups = groupsOf(person, facts.policy);
  if (!rule.some(({ group }) => groups.includes(group))) return 'not-in-group';
  // Whoever has approved may still think better of it: a reject of theirs counts.
  if (statement.decision !== 'approve') return undefined;
  if (facts.counted.includes(statement.approver)) return 'person-already-counted';
  // guard: an approve that was signed before its signer withdrew, and comes by another road, counts no more.
  const decidedMs = instantToMs(statement.decidedAt) ?? 0;
  return facts.withdrawnAtMs !== undefined && decidedMs <= facts.withdrawnAtMs
    ? 'withdrawn'
    : undefined;
}

/** Does the signature of a decision stand, by a key that counts at this moment? */
export function signatureVerdict(
  { statement, signature }: ReceivedDecision,
  facts: {
    readonly register: Pick<Register, 'key'>;
    readonly relyingParty?: RelyingParty | undefined;
    readonly nowMs: number;
    readonly acceptedMs?: number;
  },
): SignatureVerdict {
  const { approver: person, keyId } = statement;
  return checkSignature({ statement, signature, keyId, person }, facts);
}

/** Where the policy asks for keys that cannot be copied, at gates of several persons, no other counts. */
export function deviceRefusal(
  signed: SignatureVerdict,
  { gate, policy }: { readonly gate: GateRecord | undefined; readonly policy: Policy },
): RefusalReason | undefined {
  const places = gate?.document.rule.allOf.reduce((sum, { count }) => sum + count, 0) ?? 0;
  if (!signed.good || places < 2 || policy.keys?.deviceBound !== 'several-persons')
    return undefined;
  return signed.assertion?.backupEligible === false ? undefined : 'webauthn-device-bound';
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

/** Is a statement's own clock too far from the database's? */
export function isSkewed(
  { decidedAt }: Pick<DecisionStatement, 'decidedAt'>,
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

/**
 * The decisions that nobody has taken back: an approve ends with a later withdrawal of the same person. A withdrawal is
 * taken at its word, for it only takes away. The order is that of acceptance.
 */
export function withoutWithdrawn<T>(
  decisions: readonly T[],
  of: (one: T) => { readonly approver: string; readonly decision: string } | undefined,
): T[] {
  return decisions.filter((one, index) => {
    const said = of(one);
    if (said?.decision !== 'approve') return said?.decision !== 'withdraw';
    return !decisions.slice(index + 1).some((later) => {
      const then = of(later);
      return then?.decision === 'withdraw' && then.approver === said.approver;
    });
  });
}
