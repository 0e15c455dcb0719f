import {
  type BreakGlassMessage,
  type BreakGlassStatement,
  breakGlassMessageSchema,
  claimsBreakGlass,
} from './break-glass-documents.js';
import type { Roles } from './build-gate.js';
import { canonicalize, parseCanonical, sha256Hex, utf8 } from './canonical.js';
import { checkSignature, counterRefusal, type SignatureVerdict } from './check-signature.js';
import { deviceRefusal, exclusionOf, isBeforeInstant, isSkewed } from './decide.js';
import type { GateRecord } from './decide.js';
import { instantToMs } from './instant.js';
import type { Policy } from './policy/schema.js';
import { ProtocolError, type RefusalReason } from './reasons.js';
import type { Register } from './register.js';
import type { EffectStep } from './steps.js';
import type { RelyingParty } from './trust.js';

export type GlassRefusal =
  | RefusalReason
  | 'break-glass-not-allowed'
  | 'break-glass-too-long'
  | 'break-glass-expired'
  | 'break-glass-passkey'
  | 'break-glass-review-open';

/** A break-glass statement as received, and the name of its bytes. */
export interface ReceivedGlass {
  readonly message: BreakGlassMessage;
  readonly canonical: string;
  /** SHA-256 (hex) of the canonical message. */
  readonly sha256: string;
  /** The same without its signature: one statement is one word, however often it is signed. */
  readonly statementSha256: string;
}

/** Reads a message that claims to break the glass; undefined for any other. @throws ProtocolError malformed, too-large, not-canonical */
export function readBreakGlass(message: unknown): ReceivedGlass | undefined {
  const value =
    typeof message === 'string' || message instanceof Uint8Array
      ? parseCanonical(message)
      : message;
  if (!claimsBreakGlass(value)) return undefined;
  const canonical = canonicalize(value);
  const parsed = breakGlassMessageSchema.safeParse(parseCanonical(canonical));
  if (!parsed.success) throw new ProtocolError('malformed', 'not the shape of a break-glass');
  const { signature, ...statement } = parsed.data;
  return {
    message: { ...statement, signature },
    canonical,
    sha256: sha256Hex(utf8(canonical)),
    statementSha256: sha256Hex(utf8(canonicalize(statement))),
  };
}

export interface GlassFacts {
  readonly instance: string;
  readonly gate: GateRecord;
  /** What would be passed: every step of the gate, or the one that is about to act. */
  readonly steps: readonly EffectStep[];
  readonly register: Register;
  readonly relyingParty?: RelyingParty | undefined;
  readonly policy: Policy;
  readonly roles: Roles;
  /** The database's clock, in ms. */
  readonly nowMs: number;
}

export type GlassVerdict =
  | { readonly stands: true; readonly signed: SignatureVerdict & { readonly good: true } }
  | { readonly stands: false; readonly reason: GlassRefusal };

const no = (reason: GlassRefusal): GlassVerdict => ({ stands: false, reason });

/**
 * Does a break-glass stand now? Judged when it is received, and again from its stored bytes at every use. It replaces the
 * gate's rule and nothing else; who is excluded stays so.
 */
export function judgeGlass({ message }: ReceivedGlass, facts: GlassFacts): GlassVerdict {
  const { gate, register } = facts;
  const { signature, ...statement } = message;
  if (statement.instance !== facts.instance || gate.document.instance !== facts.instance)
    return no('instance-mismatch');
  if (statement.gateId !== gate.document.gateId || statement.runId !== gate.document.runId)
    return no('gate-unknown');
  if (statement.actionDigest !== gate.digest) return no('digest-mismatch');
  const { keyId, approver: signer } = statement;
  const signed = checkSignature({ statement, signature, keyId, person: signer }, facts);
  if (!signed.good) return no(signed.reason);
  const device = deviceRefusal(signed, facts);
  if (device !== undefined) return no(device);
  // guard: in production a person is there and has been verified; a key file proves neither.
  if (gate.document.environment === 'production' && signed.assertion === undefined)
    return no('break-glass-passkey');
  const person = register.person(statement.approver);
  if (person?.kind !== 'human' || !person.active) return no('not-human');
  const reason = exclusionOf(statement.approver, facts) ?? ruleRefusal(statement, facts);
  if (reason !== undefined) return no(reason);
  return { stands: true, signed };
}

/** What the policy in force says of it: who, where, which steps, how long. */
function ruleRefusal(
  statement: BreakGlassStatement,
  { gate, nowMs, policy, steps }: GlassFacts,
): GlassRefusal | undefined {
  const rule = policy.breakGlass?.find((one) => one.person === statement.approver);
  if (
    rule?.environments.includes(gate.document.environment) !== true ||
    !steps.every((step) => rule.steps.some((one) => one === '*' || one === step))
  )
    return 'break-glass-not-allowed';
  const from = instantToMs(statement.decidedAt);
  const until = instantToMs(statement.expiresAt);
  const mostMs = rule.maxMinutes * 60_000;
  if (from === undefined || until === undefined || until - from > mostMs || until <= from)
    return 'break-glass-too-long';
  // guard: its time is over with its last millisecond, by the database's clock.
  return isBeforeInstant(nowMs, statement.expiresAt) ? undefined : 'break-glass-expired';
}

/** The same for one that has just come in: its gate has to be open, its clock near ours, its passkey's counter ahead. */
export function judgeGlassAtReceipt(glass: ReceivedGlass, facts: GlassFacts): GlassVerdict {
  const { gate, nowMs, policy } = facts;
  if (gate.state === 'expired') return no('gate-expired');
  if (gate.state !== 'open') return no('gate-closed');
  if (!isBeforeInstant(nowMs, gate.document.expiresAt)) return no('gate-expired');
  const verdict = judgeGlass(glass, facts);
  if (!verdict.stands) return verdict;
  const { approver, decidedAt, expiresAt } = glass.message;
  const counter = counterRefusal(verdict.signed);
  if (counter !== undefined) return no(counter);
  if (isSkewed({ decidedAt }, gate, nowMs)) return no('clock-skew');
  const rule = policy.breakGlass?.find(({ person }) => person === approver);
  const mostMs = (rule?.maxMinutes ?? 0) * 60_000;
  // A clock that runs ahead would lend itself minutes.
  return (instantToMs(expiresAt) ?? Infinity) > nowMs + mostMs
    ? no('break-glass-too-long')
    : verdict;
}
