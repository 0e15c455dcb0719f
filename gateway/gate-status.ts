import { standingOf } from '../domain/decide.js';
import { Failure } from '../domain/errors.js';
import type { GateId, RunId } from '../domain/ids.js';
import { readGate } from '../store/gate-rows.js';
import type { Row } from '../store/schema.js';
import type { GateStatus } from './contract.js';
import { gateRecordOf } from './decisions.js';
import { passMoments } from './gate-moments.js';
import type { Parts } from './parts.js';
import { policyInForce } from './policy.js';
import { countedApprovals, standingAt } from './standing.js';

/**
 * What the record says of a gate now. The moments of an open one that have come are passed here; one whose time is over
 * expires: silence is never consent.
 */
export async function gateStatus(parts: Parts, runId: RunId, gateId: GateId): Promise<GateStatus> {
  const gate = await readGate(parts.db, gateId);
  if (gate?.run_id !== runId)
    throw new Failure('RUN_UNKNOWN', `run ${runId} has no gate ${gateId.slice(0, 120)}`);
  if (gate.state !== 'open') return closedStatus(parts, gate);
  const status = await passMoments(parts, gateId);
  if (status === undefined) {
    const closed = await readGate(parts.db, gateId);
    return closed === undefined ? { state: 'expired' } : closedStatus(parts, closed);
  }
  return {
    state: 'open',
    remainingMs: status.remainingMs,
    nextMs: status.nextMs,
    missing: await missingOf(parts, status.gate),
  };
}

async function missingOf(parts: Parts, gate: Row<'gates'>): Promise<string> {
  const { policy } = await policyInForce(parts.db, parts);
  const { approvals } = await standingAt(parts.db, gate.gate_id);
  const counted = await countedApprovals(parts.db, parts, { approvals, policy });
  return standingOf(gateRecordOf(gate).document, counted).missing;
}

async function closedStatus(parts: Parts, gate: Row<'gates'>): Promise<GateStatus> {
  switch (gate.state) {
    case 'granted': {
      const { approvals } = await standingAt(parts.db, gate.gate_id);
      return {
        state: 'granted',
        approvers: approvals.flatMap(({ person_id }) => person_id ?? []),
      };
    }
    case 'rejected':
      return { state: 'rejected', by: gate.closed_by ?? '', reason: gate.reason ?? '' };
    case 'void':
      return { state: 'void', reason: gate.reason ?? '' };
    case 'expired':
    case 'open':
      return { state: 'expired' };
  }
}
