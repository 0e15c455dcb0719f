import { Failure } from '../domain/errors.js';
import type { FailureCode } from '../domain/errors.js';
import type { Refusal } from './door-contract.js';
import type { Effect } from './effect.js';
import { voidGate } from './void-gate.js';
import type { Judged } from './grant.js';
import type { Parts } from './parts.js';
import { recordedAlready } from './recorded.js';

/** The door's refusals in the codes that cross Temporal. */
const REFUSALS: Readonly<Record<Refusal, FailureCode>> = {
  FENCED: 'FENCED',
  DOOR_CLOSED: 'DOOR_CLOSED',
  NO_RUN: 'RUN_UNKNOWN',
  NO_GRANT: 'GATE_NEEDED',
  GRANT_USED: 'GATE_NEEDED',
  GATE_CLOSED: 'GRANT_VOID',
  GATE_EXPIRED: 'GRANT_VOID',
  KEY_REVOKED: 'GRANT_VOID',
  POLICY_MOVED: 'STORE_UNAVAILABLE',
  OUT_OF_ORDER: 'OUT_OF_ORDER',
  NOT_PLANNED: 'OUT_OF_ORDER',
  CAP: 'BUDGET_EXCEEDED',
  OPERATIONS_USED_UP: 'BUDGET_EXCEEDED',
  DIGEST_MISMATCH: 'GATE_NEEDED',
  ROW_CLOSED: 'DOOR_CLOSED',
  NO_CAUSE: 'NO_CAUSE',
  NOT_STANDING: 'OUT_OF_ORDER',
  AGENT_UNKNOWN: 'POLICY_DENIED',
  AGENT_SUSPENDED: 'POLICY_DENIED',
  AGENT_REMOVED: 'POLICY_DENIED',
  OWNER_GONE: 'POLICY_DENIED',
  DELEGATION_MISSING: 'POLICY_DENIED',
  DELEGATION_REVOKED: 'POLICY_DENIED',
  DELEGATION_EXPIRED: 'POLICY_DENIED',
  DELEGATION_STEPS: 'POLICY_DENIED',
  DELEGATION_CEILING: 'POLICY_DENIED',
};

/** What the door's refusal means to whoever waits; the door itself has recorded it. */
export async function refused(
  parts: Parts,
  effect: Effect,
  judged: Judged,
  answer: { readonly reason: Refusal; readonly detail: string },
): Promise<Failure> {
  const message = `${effect.step}: the door refused: ${answer.reason}: ${answer.detail}`;
  const code = REFUSALS[answer.reason];
  if (code === 'GRANT_VOID') return recordedAlready(await voided(parts, effect, judged, message));
  return recordedAlready(new Failure(code, message, { step: effect.step, reason: answer.reason }));
}

/** A grant that no longer fits is void for good: the next revision of its gate shows what has changed. */
export async function voided(
  parts: Parts,
  effect: Effect,
  judged: Judged,
  why: string,
): Promise<Failure> {
  if (judged.gateId !== undefined) await voidGate(parts.db, judged.gateId, why);
  return new Failure('GRANT_VOID', why, {
    step: effect.step,
    ...(judged.gateId === undefined ? {} : { gateId: judged.gateId }),
  });
}
