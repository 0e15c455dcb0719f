import {
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  type WorkflowClient,
  type WorkflowHandle,
} from '@temporalio/client';
import type { GateWord } from '../domain/break-glass-documents.js';
import type { ResolveMessage, ResumeMessage, StopMessage } from '../domain/documents.js';
import { workflowIdOf, type RunId } from '../domain/ids.js';
import type { RunState } from '../domain/plan.js';
import {
  decideSignal,
  decideUpdate,
  resolveSignal,
  resumeSignal,
  stopSignal,
  type DecisionVerdict,
} from '../workflows/messages.js';
import { NoWorker, RunUnknown } from './errors.js';
import { inCharge, isNoAnswer, resultOf, stateOf } from './run-state.js';
import { watchBy, type WatchOptions } from './watch-run.js';

/** Everything that can be asked of, or told to, one run. Methods throw RunUnknown where there is no such run. */
export interface RunHandle {
  readonly runId: RunId;
  readonly workflowId: string;
  /** Sends a signed decision as a plain signal; whether it counted is seen in `state`. */
  decide(message: GateWord): Promise<void>;
  /** The same as an update: answers whether it was accepted, and if not why. @throws NoWorker */
  decideNow(message: GateWord): Promise<DecisionVerdict>;
  /** Where it is, what it holds, what it waits for; of an ended run its final report. @throws NoWorker */
  state(): Promise<RunState>;
  /** Calls `onChange` with each new state until the run ends; resolves to the last. Never throws for how it ended. */
  watch(onChange: (state: RunState) => void, options?: WatchOptions): Promise<RunState>;
  stop(message: StopMessage): Promise<void>;
  resolve(message: ResolveMessage): Promise<void>;
  resume(message: ResumeMessage): Promise<void>;
  /** The final report of a completed run. @throws RunEnded for every other end */
  result(): Promise<RunState>;
  /** What Temporal says of it: RUNNING, COMPLETED, FAILED, TERMINATED …, and when it began. */
  describe(): Promise<{ readonly status: string; readonly startedAt: Date }>;
}

const UPDATE_DEADLINE_MS = 20_000;

/** A handle by run id; nothing is asked of the server until a method is called. */
export function runHandle(client: WorkflowClient, runId: RunId): RunHandle {
  const workflowId = workflowIdOf(runId);
  const handle = client.getHandle(workflowId);
  const known = <T>(call: () => Promise<T>): Promise<T> => orUnknown(runId, call);
  const state = (): Promise<RunState> => known(() => stateOf(client, handle, runId));
  return {
    runId,
    workflowId,
    decide: (message) => known(() => handle.signal(decideSignal, message)),
    decideNow: (message) => known(() => decideNow(client, handle, runId, message)),
    state,
    watch: (onChange, options) => watchBy({ state, onChange }, options ?? {}),
    stop: (message) => known(() => handle.signal(stopSignal, message)),
    resolve: (message) =>
      known(async () => (await inCharge(client, handle, runId)).signal(resolveSignal, message)),
    resume: (message) => known(() => handle.signal(resumeSignal, message)),
    result: () => known(() => resultOf(handle, runId)),
    describe: () =>
      known(async () => {
        const { status, startTime } = await handle.describe();
        return { status: status.name, startedAt: startTime };
      }),
  };
}

async function orUnknown<T>(runId: RunId, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) throw new RunUnknown(runId);
    throw error;
  }
}

/** Temporal waits for as long as it takes when no worker is there: an update without an answer is no verdict. */
async function decideNow(
  client: WorkflowClient,
  handle: WorkflowHandle,
  runId: RunId,
  message: GateWord,
): Promise<DecisionVerdict> {
  try {
    return await client.connection.withDeadline(Date.now() + UPDATE_DEADLINE_MS, () =>
      handle.executeUpdate(decideUpdate, { args: [message] }),
    );
  } catch (error) {
    if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) throw new NoWorker(runId);
    if (error instanceof WorkflowUpdateFailedError)
      return { accepted: false, reason: error.cause?.message ?? error.message };
    if (isNoAnswer(error)) throw new NoWorker(runId);
    throw error;
  }
}
