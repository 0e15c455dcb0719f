import { CancellationScope, condition, sleep } from '@temporalio/workflow';
import type { Cause } from '../activities/api.js';
import { formatAmount } from '../domain/money.js';
import type { RunState, StepReport } from '../domain/plan.js';
import type { EffectStep, StepName } from '../domain/steps.js';
import { STEPS } from '../domain/steps.js';
import type { EffectDefinition } from './define-step.js';
import { failureOf } from './failure-of.js';
import { judged } from './judged.js';
import type { ReversalName } from './proxies.js';
import { closing, judging, undo } from './proxies.js';
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

/** What a step's reversal would take away from under others: while one of these is stuck, it waits. */
const CARRIES: Readonly<Partial<Record<EffectStep, readonly EffectStep[]>>> = {
  'create-customer': ['start-subscription'],
  'link-account': ['register-domain', 'configure-dns', 'deploy-site', 'attach-domain'],
  'deploy-site': ['attach-domain'],
};

interface Stuck {
  readonly step: EffectStep;
  readonly why: string;
}

/**
 * Every reversal, last step first, until all are done. One that cannot be done holds up only what it stands on: money
 * is given back although a Worker cannot be deleted. When nothing more can be done, the run is parked till a person
 * resolves it; then all that is left is tried again.
 */
async function takeBack(
  run: Run,
  reversals: readonly PendingReversal[],
  why: string,
): Promise<void> {
  let left = reversals;
  for (;;) {
    const stuck: Stuck[] = [];
    const waiting: PendingReversal[] = [];
    for (const reversal of left) {
      const { step } = reversal;
      const under = waiting.find((above) => CARRIES[step]?.includes(above.step) === true);
      if (under === undefined) {
        const reversed = await reverse(run, reversal, why);
        if (!('why' in reversed)) continue;
        stuck.push(reversed);
      } else run.board.mark(step, 'reversing', `waits for ${under.step}`);
      waiting.push(reversal);
    }
    const [first] = stuck;
    if (first === undefined) return;
    await parked(run, first.step, await whatIsLeft(run, stuck));
    left = waiting;
  }
}

/** One reversal, until it is done or fails for good. */
async function reverse(
  run: Run,
  { step, activity, summary }: PendingReversal,
  why: string,
): Promise<StepReport | Stuck> {
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
      const { message } = failureOf(error);
      run.board.mark(step, 'stuck', message);
      return { step, why: message };
    }
  }
}

/** What cannot be taken back, by name and cost as the record has them; on the board, and in a sentence for each. */
async function whatIsLeft(run: Run, stuck: readonly Stuck[]): Promise<string> {
  const { steps, currency } = await closing.reportRun({ runId: run.runId });
  return stuck
    .map(({ step, why }) => {
      const { object, spentMinor = 0 } = steps.find((known) => known.step === step) ?? {};
      // No object on record: the outcome is unknown, and so is what there is.
      const text = object === undefined ? 'perhaps something that no answer named' : object;
      run.board.report({
        step,
        outcome: 'stuck',
        spentMinor,
        note: why,
        residue: { minor: spentMinor, text: `${text}, until it is resolved` },
        ...(object === undefined ? {} : { object }),
      });
      return `${step}: ${why}; left: ${text}, ${formatAmount({ minor: spentMinor, currency })}`;
    })
    .join('. ');
}

/** The run is stuck: it stays open, says what it needs, and goes on by a signed `resolve`. */
async function parked(
  run: Run,
  step: StepName,
  why: string,
  way: 'retry' | 'give-up' = 'retry',
): Promise<string> {
  const { runId, board, inbox } = run;
  board.enter('stuck', why, {
    what: 'a signed way on: retry, done-by-hand or give-up',
    who: 'a person who may resolve it',
    command: `countersign resolve ${runId} --step ${step} --${way} --reason '…' --key FILE`,
  });
  for (;;) {
    await condition(inbox.hasResolve);
    const verdict = await judged(() =>
      judging.resolveStep.executeWithOptions(
        { summary: `is the way on for ${step} signed by somebody who may` },
        [{ runId, message: inbox.nextResolve() }],
      ),
    );
    if (verdict.accepted) return verdict.action;
    inbox.refusals.add(`resolve-${verdict.reason}`);
    board.refused(String(inbox.refusals));
  }
}

/** The same for what is no reversal: the record refuses to close or to end the run. */
function parkedAt(
  run: Run,
  step: StepName,
  why: string,
  way: 'retry' | 'give-up' = 'retry',
): Promise<string> {
  run.board.mark(step, 'stuck', why);
  return parked(run, step, `${step}: ${why}`, way);
}
