import type { RunId } from '../domain/ids.js';
import { STEPS } from '../domain/steps.js';
import type { EffectStep } from '../domain/steps.js';
import type { Cause } from './contract.js';
import type { CauseRecord } from './door-contract.js';
import type { Parts } from './parts.js';
import { loadPlanned, loadRun } from './record.js';

/**
 * Closes the run's door with its cause on record; answers the steps to go back over, last first: all that is planned,
 * and all that was begun, though a later plan has left it out. @throws NO_CAUSE
 */
export async function closeDoor(
  parts: Parts,
  runId: RunId,
  cause: Cause,
): Promise<{ readonly steps: readonly EffectStep[] }> {
  const run = await loadRun(parts, runId);
  await parts.door.closeDoor({ runId, cause: causeRecordOf(cause) });
  if (run.row.plan_revision === 0) return { steps: [] };
  const { plan } = await loadPlanned(parts, runId);
  const planned = plan.steps
    .filter(({ kind, step }) => kind === 'act' && step !== 'verify-site')
    .map(({ step }) => step as EffectStep);
  const begun = (await parts.door.rows(runId))
    .filter(({ kind, state }) => kind === 'act' && state !== 'closed')
    .map(({ step }) => step);
  const steps = [...new Set([...planned, ...begun])];
  return { steps: steps.sort((a, b) => STEPS.indexOf(b) - STEPS.indexOf(a)) };
}

function causeRecordOf(cause: Cause): CauseRecord {
  switch (cause.kind) {
    case 'failure':
    case 'resolved':
      return { kind: cause.kind, step: cause.step };
    case 'rejected':
    case 'expired':
    case 'void':
      return { kind: cause.kind, gateId: cause.gateId };
    case 'temporal':
      return { kind: 'temporal', status: cause.status };
    case 'denied':
    case 'stopped':
      return { kind: cause.kind };
  }
}
