import { canonicalize, digestOf } from '../domain/canonical.js';
import { exclusionOf, isBeforeInstant } from '../domain/decide.js';
import type { RefusalReason } from '../domain/reasons.js';
import type { RunId } from '../domain/ids.js';
import { groupsOf } from '../domain/register.js';
import { databaseNow } from '../store/clock.js';
import type { Executor } from '../store/connect.js';
import { closeGate, lockGate } from '../store/gate-rows.js';
import { appendLog } from '../store/log.js';
import { recordRefusal } from '../store/refusals.js';
import type { Row } from '../store/schema.js';
import { insertSessionReject, recordSession } from '../store/sessions.js';
import type { Session } from '../store/sessions.js';
import type { DecisionVerdict } from './contract.js';
import { gateRecordOf } from './decisions.js';
import type { Parts } from './parts.js';
import { believingRegister, type Pins } from './believed.js';
import { policyInForce } from './policy.js';
import { loadRun } from './record.js';
import { rolesOf } from './roles.js';

/** What somebody who has signed in says of an open gate: no, and why. */
export interface SessionReject {
  readonly gateId: string;
  /** Digest of the gate document that they were shown. */
  readonly actionDigest: string;
  readonly reason: string;
}

/**
 * Records a reject that is not signed: the server itself has verified who says it, and their session goes on record. Only
 * a reject: nothing without a signature ever approves. Who may not decide by a key may not by a session either.
 */
export async function recordSessionReject(
  parts: Parts,
  runId: RunId,
  { session, reject }: { readonly session: Session; readonly reject: SessionReject },
): Promise<DecisionVerdict> {
  const { row: run } = await loadRun(parts, runId);
  const verdict = await parts.db.transaction().execute(async (tx): Promise<DecisionVerdict> => {
    const gate = await lockGate(tx, reject.gateId);
    const reason = await refusalOf(tx, parts, { run, gate, reject, person: session.person });
    if (reason !== undefined || gate === undefined)
      return {
        accepted: false,
        reason: reason ?? 'gate-unknown',
        ...(gate === undefined ? {} : { gateState: gate.state }),
      };
    await recordSession(tx, session);
    const statement = { ...reject, decision: 'reject', by: session.person, runId };
    await insertSessionReject(tx, {
      digest: digestOf({ ...statement, session: session.sessionId }),
      gateId: gate.gate_id,
      runId,
      person: session.person,
      sessionId: session.sessionId,
      statement: canonicalize(statement),
      reason: reject.reason,
    });
    await closeGate(tx, {
      gateId: gate.gate_id,
      from: ['open'],
      to: 'rejected',
      reason: reject.reason,
      by: session.person,
    });
    await appendLog(tx, {
      kind: 'decision',
      runId,
      payload: {
        gateId: gate.gate_id,
        decision: 'reject',
        person: session.person,
        session: session.sessionId,
        road: 'http',
      },
    });
    return { accepted: true, gateState: 'rejected', approver: session.person };
  });
  if (!verdict.accepted)
    await recordRefusal(parts.db, {
      runId,
      asked: `reject ${reject.gateId}`.slice(0, 200),
      reason: verdict.reason,
      detail: session.person,
    });
  return verdict;
}

async function refusalOf(
  tx: Executor,
  pins: Pins,
  of: {
    readonly run: Row<'runs'>;
    readonly gate: Row<'gates'> | undefined;
    readonly reject: SessionReject;
    readonly person: string;
  },
): Promise<RefusalReason | undefined> {
  if (of.gate?.run_id !== of.run.run_id) return 'gate-unknown';
  const { policy } = await policyInForce(tx, pins);
  const gate = gateRecordOf(of.gate);
  const nowMs = (await databaseNow(tx)).getTime();
  if (gate.state === 'expired' || !isBeforeInstant(nowMs, gate.document.expiresAt))
    return 'gate-expired';
  if (gate.state !== 'open') return 'gate-closed';
  if (of.reject.actionDigest !== gate.digest) return 'digest-mismatch';
  const register = await believingRegister(tx, pins, { persons: [of.person], keys: [] });
  const person = register.person(of.person);
  if (person?.kind !== 'human' || !person.active) return 'not-human';
  const excluded = exclusionOf(of.person, { gate, policy, roles: await rolesOf(tx, of.run) });
  if (excluded !== undefined) return excluded;
  const groups = groupsOf(person, policy);
  const asked = gate.document.rule.allOf.some(({ group }) => groups.includes(group));
  return asked ? undefined : 'not-in-group';
}
