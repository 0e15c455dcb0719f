import { condition, patched, sleep } from '@temporalio/workflow';
import { formatAmount } from '../domain/money.js';
import type { StepReport } from '../domain/plan.js';
import type { EffectStep } from '../domain/steps.js';
import type { EffectDefinition } from './define-step.js';
import { failureOf } from './failure-of.js';
import { parked } from './parked.js';
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

/** How long a reversal is waited for before those that it does not stand under begin beside it. */
const ALONE_FOR = '20s';

/**
 * Every reversal, last step first, until all are done. One that cannot be done holds up only what it stands on: money
 * is given back although a Worker cannot be deleted. When nothing more can be done, the run is parked till a person
 * resolves it; then all that is left is tried again.
 */
export async function takeBack(
  run: Run,
  reversals: readonly PendingReversal[],
  why: string,
): Promise<void> {
  const pass = patched('reversals-side-by-side') ? sideBySide : oneByOne;
  let left = reversals;
  for (;;) {
    const { stuck, waiting } = await pass(run, left, why);
    const [first] = stuck;
    if (first === undefined) return;
    await parked(run, first.step, await whatIsLeft(run, stuck));
    left = waiting;
  }
}

interface Passed {
  readonly stuck: readonly Stuck[];
  /** What is still to be taken back, last step first. */
  readonly waiting: readonly PendingReversal[];
}

/** What stands on `step` and is still there. */
const above = (
  { step }: PendingReversal,
  waiting: readonly PendingReversal[],
): PendingReversal | undefined =>
  waiting.find((other) => CARRIES[step]?.includes(other.step) === true);

/** As runs that began before `reversals-side-by-side` go on: each waits for the one before it, however long that takes. */
async function oneByOne(run: Run, left: readonly PendingReversal[], why: string): Promise<Passed> {
  const stuck: Stuck[] = [];
  const waiting: PendingReversal[] = [];
  for (const reversal of left) {
    const under = above(reversal, waiting);
    if (under === undefined) {
      const reversed = await reverse(run, reversal, why);
      if (!('why' in reversed)) continue;
      stuck.push(reversed);
    } else run.board.mark(reversal.step, 'reversing', `waits for ${under.step}`);
    waiting.push(reversal);
  }
  return { stuck, waiting };
}

/**
 * One after the other as long as each is done soon. One that is not (a provider that is down may be tried for days)
 * goes on by itself, and holds up only what it stands on.
 */
async function sideBySide(
  run: Run,
  left: readonly PendingReversal[],
  why: string,
): Promise<Passed> {
  const stuck: Stuck[] = [];
  const undone = new Set(left);
  const failed = new Set<PendingReversal>();
  const inTheWay = (of: PendingReversal): PendingReversal | undefined => above(of, [...undone]);
  const takenBack = async (reversal: PendingReversal): Promise<void> => {
    const first = inTheWay(reversal);
    if (first !== undefined) {
      run.board.mark(reversal.step, 'reversing', `waits for ${first.step}`);
      await condition(() => {
        const under = inTheWay(reversal);
        return under === undefined || failed.has(under);
      });
    }
    if (inTheWay(reversal) !== undefined) {
      failed.add(reversal);
      return;
    }
    const reversed = await reverse(run, reversal, why);
    if (!('why' in reversed)) undone.delete(reversal);
    else {
      stuck.push(reversed);
      failed.add(reversal);
    }
  };
  const all: Promise<void>[] = [];
  for (const reversal of left) {
    all.push(takenBack(reversal));
    const goOn = (): boolean =>
      !undone.has(reversal) || failed.has(reversal) || inTheWay(reversal) !== undefined;
    await condition(goOn, ALONE_FOR);
  }
  await Promise.all(all);
  const order = left.map(({ step }) => step);
  stuck.sort((a, b) => order.indexOf(a.step) - order.indexOf(b.step));
  return { stuck, waiting: left.filter((reversal) => undone.has(reversal)) };
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
