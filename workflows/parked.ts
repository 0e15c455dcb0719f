import { condition } from '@temporalio/workflow';
import type { StepName } from '../domain/steps.js';
import { judged } from './judged.js';
import { judging } from './proxies.js';
import type { Run } from './run.js';

/** The run is stuck: it stays open, says what it needs, and goes on by a signed `resolve`. */
export async function parked(
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
export function parkedAt(
  run: Run,
  step: StepName,
  why: string,
  way: 'retry' | 'give-up' = 'retry',
): Promise<string> {
  run.board.mark(step, 'stuck', why);
  return parked(run, step, `${step}: ${why}`, way);
}
