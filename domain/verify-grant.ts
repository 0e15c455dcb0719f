import { evaluateRule } from './approval-rule.js';
import { judgeGlass, readBreakGlass, type ReceivedGlass } from './break-glass.js';
import type { Roles } from './build-gate.js';
import { digestOf, digestOfBytes, parseCanonical, utf8 } from './canonical.js';
import {
  deviceRefusal,
  exclusionOf,
  isBeforeInstant,
  readDecision,
  type ReceivedDecision,
  signatureVerdict,
  withoutWithdrawn,
} from './decide.js';
import { type ActionDocument, type GateDocument, gateSchema } from './documents.js';
import type { Digest } from './ids.js';
import { memoOfText } from './memo.js';
import { decideAction } from './policy/decide.js';
import type { Policy } from './policy/schema.js';
import { asksMoreThan, isStricter } from './policy/verdict.js';
import { ProtocolError } from './reasons.js';
import { groupsOf, type Register } from './register.js';
import type { Request } from './request.js';
import type { Tier } from './steps.js';
import type { RelyingParty } from './trust.js';

/** A gate as it lies in the database, as the exact text that was digested. */
export interface StoredGate {
  readonly document: string;
  readonly state: 'open' | 'granted' | 'rejected' | 'expired' | 'void';
}

/** An accepted decision as it lies in the database. */
export interface StoredDecision {
  /** The message as received, in canonical form: the signature is verified from these bytes. */
  readonly message: string;
  /** When it was accepted, in ms: a key that was retired later leaves it standing. */
  readonly acceptedMs: number;
}

export interface GrantUse {
  readonly instance: string;
  readonly gate: StoredGate;
  /** The accepted decisions of this gate, in the order in which they were accepted. */
  readonly decisions: readonly StoredDecision[];
  readonly relyingParty?: RelyingParty | undefined;
  readonly register: Register;
  readonly policy: Policy | undefined;
  readonly roles: Roles;
  readonly request: Request;
  readonly requestDigest: Digest;
  /** Rebuilt from the very parameters that will be sent; digested here, not by the caller. */
  readonly action: ActionDocument;
  /** What the plan that people saw asked for this action. */
  readonly tier: Tier;
  readonly nowMs: number;
}

export type GrantVerdict =
  | {
      readonly granted: true;
      readonly gate: GateDocument;
      readonly persons: readonly string[];
      /** SHA-256 (hex) of each decision's bytes that counted. */
      readonly decisions: readonly string[];
    }
  /** `void`: there was a grant, and it covers this no longer. */
  | { readonly granted: false; readonly reason: string; readonly detail: string };

const no = (reason: string, detail: string): GrantVerdict => ({ granted: false, reason, detail });

/**
 * Does the gate's grant cover this very action, now? Everything is verified anew from stored bytes, without asking who
 * calls: state, expiry, digests, every signature, every key and person, and that the policy in force asks no more.
 */
export function verifyGrant(use: GrantUse): GrantVerdict {
  const gate = readGate(use.gate.document);
  if (gate === undefined) return no('digest-mismatch', 'the stored gate is not in canonical form');
  const refusal = gateRefusal(use, gate);
  if (refusal !== undefined) return refusal;
  const kept = withoutWithdrawn(use.decisions, ({ message }) => readStored(message)?.statement);
  const counted = kept.flatMap((stored) => countedDecision(stored, gate, use));
  if (counted.some(({ decision }) => decision === 'reject'))
    return no('gate-closed', 'a valid reject is on record');
  const approvals = counted.filter(({ decision }) => decision === 'approve');
  const { satisfied, missing } = evaluateRule(gate.rule, approvals);
  const glass = satisfied ? undefined : glassOver(use, gate);
  if (glass !== undefined && 'reason' in glass)
    return no(glass.reason, 'the gate was passed by break-glass, which does not stand now');
  if (!satisfied && glass === undefined)
    return no('rule-not-met', `of the decisions on record too few stand now: ${missing}`);
  const now = decideAction(use.policy, {
    request: use.request,
    action: use.action,
    nowMs: use.nowMs,
  });
  // guard: only a stricter word voids, and sign-off is one beside approve even where the same group gives both.
  if (asksMoreThan(now, gate.rule) || isStricter(now.verdict, use.tier))
    return no('policy-stricter', now.why.map(({ rule }) => rule).join(', '));
  return {
    granted: true,
    gate,
    persons: glass?.persons ?? [...new Set(approvals.map(({ person }) => person))],
    decisions: glass?.decisions ?? approvals.map(({ sha256 }) => sha256),
  };
}

interface Broken {
  readonly persons: readonly string[];
  readonly decisions: readonly string[];
}

/** The break-glass by which the gate was passed, judged anew from its stored bytes; undefined: there is none. */
function glassOver(
  use: GrantUse,
  gate: GateDocument,
): Broken | { readonly reason: string } | undefined {
  const [glass] = use.decisions.flatMap(({ message }) => glassIn(message));
  if (glass === undefined || use.policy === undefined) return undefined;
  const verdict = judgeGlass(glass, {
    instance: use.instance,
    gate: { document: gate, digest: digestOfText(use.gate.document), state: use.gate.state },
    steps: [use.action.step],
    register: use.register,
    relyingParty: use.relyingParty,
    policy: use.policy,
    roles: use.roles,
    nowMs: use.nowMs,
  });
  if (!verdict.stands) return { reason: verdict.reason };
  return { persons: [glass.message.approver], decisions: [glass.sha256] };
}

function glassIn(message: string): ReceivedGlass[] {
  try {
    const glass = readBreakGlass(message);
    return glass === undefined ? [] : [glass];
  } catch (error) {
    if (error instanceof ProtocolError) return [];
    throw error;
  }
}

/** Read once for each text, as are decisions: a gate covers a whole plan. */
const readGate = memoOfText(500, (document): GateDocument | undefined => {
  try {
    const parsed = gateSchema.safeParse(parseCanonical(document));
    return parsed.success ? parsed.data : undefined;
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
});

const digestOfText = memoOfText(500, (text) => digestOfBytes(utf8(text)));

function gateRefusal(use: GrantUse, gate: GateDocument): GrantVerdict | undefined {
  const { action } = use;
  if (gate.instance !== use.instance || action.instance !== use.instance)
    return no('instance-mismatch', 'the gate is of another instance');
  if (gate.environment !== use.request.environment || gate.environment !== action.environment)
    return no('environment-mismatch', `the gate is for ${gate.environment}`);
  if (gate.runId !== action.runId || gate.requestDigest !== use.requestDigest)
    return no('run-mismatch', 'the gate is of another run or request');
  if (use.gate.state !== 'granted') return no('gate-closed', `the gate is ${use.gate.state}`);
  if (!isBeforeInstant(use.nowMs, gate.expiresAt))
    return no('gate-expired', `the gate expired at ${gate.expiresAt}`);
  const digest = digestOf(action);
  return gate.actions.includes(digest)
    ? undefined
    : no('digest-mismatch', `the grant does not cover ${digest}`);
}

interface Counted {
  readonly person: string;
  readonly groups: readonly string[];
  readonly decision: 'approve' | 'reject' | 'withdraw';
  readonly sha256: string;
}

/** Read once for each text; what it says is looked up by the whole of it. */
const readStored = memoOfText(500, (message): ReceivedDecision | undefined => {
  try {
    return readDecision(message);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
});

/** A stored decision that still stands, or nothing. */
function countedDecision(stored: StoredDecision, gate: GateDocument, use: GrantUse): Counted[] {
  const decision = readStored(stored.message);
  if (use.policy === undefined || decision === undefined) return [];
  const { statement } = decision;
  const person = use.register.person(statement.approver);
  const record = { document: gate, digest: statement.actionDigest, state: use.gate.state };
  const facts = { gate: record, roles: use.roles, policy: use.policy };
  const signed = signatureVerdict(decision, {
    register: use.register,
    relyingParty: use.relyingParty,
    nowMs: use.nowMs,
    acceptedMs: stored.acceptedMs,
  });
  const stands =
    statement.instance === use.instance &&
    statement.gateId === gate.gateId &&
    statement.actionDigest === digestOfText(use.gate.document) &&
    signed.good &&
    deviceRefusal(signed, facts) === undefined &&
    person?.kind === 'human' &&
    person.active &&
    exclusionOf(person.person, facts) === undefined;
  return stands
    ? [
        {
          person: person.person,
          groups: groupsOf(person, use.policy),
          decision: statement.decision,
          sha256: decision.sha256,
        },
      ]
    : [];
}
