import { ApplicationFailure, CancellationScope } from '@temporalio/workflow';
import type { RepairInput } from '../activities/api.js';
import { parseRunId } from '../domain/ids.js';
import type { RunState } from '../domain/plan.js';
import { runFailureType } from './messages.js';
import { closing } from './proxies.js';
import { Run } from './run.js';
import { effectSteps } from './provision.js';
import { unwind } from './unwind.js';

/**
 * Takes back a run whose workflow was ended from outside: terminate runs no code, so its effects stand. Started by
 * the sweep alone, after Temporal itself has said how the run ended; the gateway checks that against its record.
 */
export async function repair({ runId, status }: RepairInput): Promise<RunState> {
  const run = new Run(parseRunId(runId));
  run.listen();
  run.inbox.admitted();
  const known = await CancellationScope.nonCancellable(() => closing.reportRun({ runId }));
  if (known.phase === 'completed') return known;
  const state = await unwind(run, {
    cause: { kind: 'temporal', status },
    why: `Temporal says of the run: ${status}`,
    pending: [],
    steps: effectSteps,
  });
  run.board.ended(state);
  if (state.phase === 'reversed') return state;
  throw ApplicationFailure.nonRetryable(
    `the run ended ${state.phase}: ${state.why}`,
    runFailureType(state.phase),
    state,
  );
}
