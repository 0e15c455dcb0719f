import type { Cause } from '../activities/api.js';
import type { FailureCode } from '../domain/errors.js';
import type { RunState } from '../domain/plan.js';
import type { StepName } from '../domain/steps.js';
import { failureOf } from './failure-of.js';
import { closing } from './proxies.js';
import type { Run } from './run.js';

/** How going forward ended. */
export type Ending =
  | { readonly kind: 'completed'; readonly state: RunState }
  | { readonly kind: 'held' }
  | {
      readonly kind: 'unwind';
      readonly cause: Cause;
      readonly why: string;
    };

const DENIALS: ReadonlySet<string> = new Set([
  'POLICY_DENIED',
  'POLICY_MISSING',
  'BUDGET_EXCEEDED',
] satisfies FailureCode[]);

/** Where the run was when it failed. */
export interface At {
  readonly step: StepName;
  readonly planned: boolean;
}

/** What an error while going forward means for the run. Bugs are thrown on. */
export async function endingOf(run: Run, error: unknown, at: At): Promise<Ending> {
  const { inbox } = run;
  const { code, message } = failureOf(error);
  // A stop over a wider scope fences first and signals then: its mode is worth a moment's wait.
  if (code === 'FENCED' || code === 'CANCELLED') await inbox.stopComes();
  if (code === 'FENCED' && inbox.stop === undefined) await heldByRecord(run);
  // Cancelled without a stop: somebody cancelled the activity itself. A hold cancels too, and stays a hold.
  if (code === 'CANCELLED' && inbox.stop === undefined)
    inbox.requestStop({ mode: 'unwind', by: 'temporal', reason: 'an activity was cancelled' });
  if (inbox.stop !== undefined) {
    await run.fenced();
    if (inbox.stop.mode === 'hold') return { kind: 'held' };
    const why = `stopped by ${inbox.stop.by}: ${inbox.stop.reason}`;
    return { kind: 'unwind', cause: { kind: 'stopped' }, why };
  }
  if (code === 'FENCED' || code === 'DOOR_CLOSED' || code === 'CANCELLED')
    return { kind: 'unwind', cause: { kind: 'stopped' }, why: message };
  await recordFailure(run, at.step, { code, message });
  const cause = { kind: 'failure', step: at.step } as const;
  // Denied at the effect (a stricter policy, a cap used up since): on record as a failure of that step.
  if (DENIALS.has(code)) return { kind: 'unwind', cause, why: message };
  return { kind: 'unwind', cause, why: `${at.planned ? at.step : 'planning'} failed: ${message}` };
}

/** A stop over a wider scope may be on record before its word reaches the run, or without one: it says what it wants. */
async function heldByRecord(run: Run): Promise<void> {
  const { stopped } = await closing.reportRun({ runId: run.runId });
  if (stopped?.mode === 'hold')
    run.inbox.requestStop({ mode: 'hold', by: stopped.by, reason: stopped.reason });
}

/** Puts a step's failure on record: the cause that the closing of the door asks for. */
export async function recordFailure(
  { runId }: Run,
  step: StepName,
  { code, message }: { readonly code: FailureCode; readonly message: string },
): Promise<void> {
  await closing.recordFailure.executeWithOptions({ summary: `${step}: ${code}` }, [
    { runId, step, code, message },
  ]);
}
