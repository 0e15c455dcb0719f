import { condition } from '@temporalio/workflow';
import type { Cause } from '../activities/api.js';
import type { GateId } from '../domain/ids.js';
import type { OpenGate } from '../domain/plan.js';
import { control } from './proxies.js';
import type { Run } from './run.js';

export type GateOutcome =
  | { readonly kind: 'granted' }
  /** What was shown no longer holds: plan again and open the next revision. */
  | { readonly kind: 'void'; readonly gateId: GateId; readonly why: string }
  | { readonly kind: 'refused'; readonly cause: Cause; readonly why: string };

/**
 * Opens a gate and waits. Decisions reach the record through the inbox; when the wait ends, by a decision or by time,
 * the gateway is asked what was recorded in time, and that answer stands: a worker that was down across the
 * expiry sees timer and signal together.
 */
export async function passGate(run: Run, gate: string): Promise<GateOutcome> {
  const opened = await control.openGate.executeWithOptions({ summary: `open the gate ${gate}` }, [
    { runId: run.runId, gate },
  ]);
  if (opened.gateId === undefined) return { kind: 'granted' };
  run.board.gate(opened);
  run.inbox.gateOpened(opened);
  try {
    return await decided(run, opened);
  } finally {
    run.board.gate(undefined);
    run.inbox.gateOpened(undefined);
  }
}

async function decided(run: Run, { gate, gateId }: OpenGate): Promise<GateOutcome> {
  for (;;) {
    const seen = run.inbox.recorded;
    const status = await control.gateStatus.executeWithOptions(
      { summary: `what is on record for the gate ${gate}` },
      [{ runId: run.runId, gateId }],
    );
    switch (status.state) {
      case 'granted':
        return { kind: 'granted' };
      case 'void':
        return { kind: 'void', gateId, why: status.reason };
      case 'rejected': {
        const why = `rejected at the gate ${gate} by ${status.by}: ${status.reason}`;
        return { kind: 'refused', cause: { kind: 'rejected', gateId }, why };
      }
      case 'expired': {
        const why = `nobody decided at the gate ${gate} in time`;
        return { kind: 'refused', cause: { kind: 'expired', gateId }, why };
      }
      case 'open':
        run.board.enter('awaiting-approval', `waits at the gate ${gate}`, {
          what: status.missing,
          who: 'the approvers that the rule names',
          command: `countersign approve ${run.runId} --gate ${gate} --key FILE`,
        });
        run.board.refused(String(run.inbox.refusals));
        // A recorded answer without its next moment has the one timer that it was recorded with.
        await condition(
          () => run.inbox.recorded !== seen,
          Math.max(1, status.nextMs ?? status.remainingMs),
          { summary: `the next moment of the gate ${gate}` },
        );
        run.checkSize();
    }
  }
}
