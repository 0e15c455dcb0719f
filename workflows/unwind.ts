import { CancellationScope, condition, sleep } from '@temporalio/workflow';
import type { Cause } from '../activities/api.js';
import type { RunState, StepReport } from '../domain/plan.js';
import type { EffectStep, End, StepName } from '../domain/steps.js';
import { STEPS } from '../domain/steps.js';
import type { EffectDefinition } from './define-step.js';
import { failureOf } from './failure-of.js';
import type { ReversalName } from './proxies.js';
import { closing, undo } from './proxies.js';
import type { Run } from './run.js';

/** A reversal on the stack. What it undoes, and how much, is read from the record by the gateway. */
export interface PendingReversal {
  readonly step: EffectStep;
  readonly activity: ReversalName;
  readonly summary: string;
}

export const reversalOf = ({ name, reversal }: EffectDefinition): PendingReversal => ({
  step: name,
  activity: reversal.activity,
  summary: reversal.summary,
});

export interface Unwinding {
  readonly cause: Cause;
  readonly why: string;
  /** How the run ends if nothing had been done yet; absent: as its cause says. */
  readonly end?: Exclude<End, 'completed'>;
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
    const reports: StepReport[] = [];
    for (const reversal of lastFirst(held, recorded))
      reports.push(await reverse(run, reversal, why));
    await run.inbox.settle();
    const nothingWasDone = reports.every(({ outcome }) => outcome === 'never-happened');
    return finish(run, nothingWasDone ? (held.end ?? endOf(cause)) : 'reversed', why);
  });
}

/** Writes the end on record. What the record refuses is for a person to settle: the run stays open till then. */
async function finish(run: Run, end: Exclude<End, 'completed'>, why: string): Promise<RunState> {
  for (;;) {
    try {
      return await closing.finishRun.executeWithOptions({ summary: `the run ends ${end}` }, [
        { runId: run.runId, end, why },
      ]);
    } catch (error) {
      await parked(run, 'create-customer', failureOf(error).message);
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
      const action = await parked(run, step, failureOf(error).message, 'give-up');
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

/** One reversal, until it is done. What cannot be done parks the run, by name, until a person resolves it. */
async function reverse(run: Run, reversal: PendingReversal, why: string): Promise<StepReport> {
  const { step, activity, summary } = reversal;
  run.board.mark(step, 'reversing');
  const started = Date.now();
  for (;;) {
    run.board.enter('unwinding', why);
    try {
      const reversed = await undo[activity].executeWithOptions({ summary }, [{ runId: run.runId }]);
      if (reversed.done) {
        run.board.report(reversed.report);
        return reversed.report;
      }
      run.board.mark(step, 'reversing', reversed.why);
      await sleep(Math.max(1, reversed.waitMs, Math.floor((Date.now() - started) / 10)), {
        summary: `${step}: looks again`,
      });
    } catch (error) {
      await parked(run, step, failureOf(error).message);
    }
  }
}

/** The run is stuck: it stays open, says what it needs, and goes on by a signed `resolve`. */
async function parked(
  run: Run,
  step: StepName,
  why: string,
  way: 'retry' | 'give-up' = 'retry',
): Promise<string> {
  const { runId, board, inbox } = run;
  board.mark(step, 'stuck', why);
  board.enter('stuck', `${step}: ${why}`, {
    what: 'a signed way on: retry, done-by-hand or give-up',
    who: 'a person who may resolve it',
    command: `countersign resolve ${runId} --step ${step} --${way} --reason '…'`,
  });
  for (;;) {
    await condition(inbox.hasResolve);
    const verdict = await closing.resolveStep.executeWithOptions(
      { summary: `is the way on for ${step} signed by somebody who may` },
      [{ runId, message: inbox.nextResolve() }],
    );
    if (verdict.accepted) return verdict.action;
    inbox.refusals.add(`resolve-${verdict.reason}`);
    board.refused(String(inbox.refusals));
  }
}

/** A run that did nothing ends as what stopped it; everything else was taken back. */
function endOf({ kind }: Cause): Exclude<End, 'completed'> {
  switch (kind) {
    case 'rejected':
    case 'expired':
    case 'denied':
      return kind;
    case 'failure':
    case 'void':
    case 'stopped':
    case 'resolved':
    case 'temporal':
      return 'reversed';
  }
}
