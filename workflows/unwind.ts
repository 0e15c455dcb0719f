import { CancellationScope } from '@temporalio/workflow';
import type { Cause } from '../activities/api.js';
import type { RunState } from '../domain/plan.js';
import type { EffectStep } from '../domain/steps.js';
import { STEPS } from '../domain/steps.js';
import type { EffectDefinition } from './define-step.js';
import { failureOf } from './failure-of.js';
import { parkedAt } from './parked.js';
import { closing } from './proxies.js';
import type { Run } from './run.js';
import { type PendingReversal, reversalOf, takeBack } from './take-back.js';

export interface Unwinding {
  readonly cause: Cause;
  readonly why: string;
  /** What this execution has begun, first to last. */
  readonly pending: readonly PendingReversal[];
  /** Every step's definition: the record may know of more than this execution does (a reset, a repair). */
  readonly steps: readonly EffectDefinition[];
}

/**
 * Takes a run back, last step first, and says how it ended. A stop or a cancellation never reaches in here: the
 * clean-up always runs.
 */
export async function unwind(run: Run, { cause, why, ...held }: Unwinding): Promise<RunState> {
  return CancellationScope.nonCancellable(async () => {
    await run.fenced();
    run.board.enter('unwinding', why);
    const recorded = await closeDoor(run, cause, held.steps);
    // Completing and closing exclude each other: the completion came first, and ended runs are left alone.
    if (recorded === 'completed') return closing.reportRun({ runId: run.runId });
    await takeBack(run, lastFirst(held, recorded), why);
    await run.inbox.settle();
    return finish(run, why);
  });
}

/** Writes the end on record. What the record refuses is for a person to settle: the run stays open till then. */
async function finish(run: Run, why: string): Promise<RunState> {
  for (;;) {
    try {
      return await closing.finishRun.executeWithOptions({ summary: 'the run ends' }, [
        { runId: run.runId, why },
      ]);
    } catch (error) {
      await parkedAt(run, 'create-customer', failureOf(error).message);
    }
  }
}

/** Closes the run's door with its cause. A cause that the record doesn't bear out is for a person to settle. */
async function closeDoor(
  run: Run,
  first: Cause,
  steps: readonly EffectDefinition[],
): Promise<readonly EffectStep[] | 'completed'> {
  let cause = first;
  for (;;) {
    try {
      const closed = await closing.closeDoor.executeWithOptions(
        { summary: `close the door: ${cause.kind}` },
        [{ runId: run.runId, cause }],
      );
      return closed.steps;
    } catch (error) {
      const known = await closing.reportRun({ runId: run.runId });
      if (known.phase === 'completed') return 'completed';
      const step = cause.kind === 'failure' ? cause.step : (steps[0]?.name ?? 'create-customer');
      const action = await parkedAt(run, step, failureOf(error).message, 'give-up');
      cause = action === 'give-up' ? { kind: 'resolved', step } : first;
    }
  }
}

/** The stack, and whatever else the record holds, in the reverse of the order of steps. */
function lastFirst(
  { pending, steps }: Pick<Unwinding, 'pending' | 'steps'>,
  recorded: readonly EffectStep[],
): readonly PendingReversal[] {
  const known = new Set(pending.map(({ step }) => step));
  const more = steps
    .filter(({ name }) => recorded.includes(name) && !known.has(name))
    .map(reversalOf);
  return [...pending, ...more].sort((a, b) => STEPS.indexOf(b.step) - STEPS.indexOf(a.step));
}
