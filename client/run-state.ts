import {
  isGrpcServiceError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  type WorkflowClient,
  type WorkflowHandle,
} from '@temporalio/client';
import {
  ApplicationFailure,
  CancelledFailure,
  TerminatedFailure,
  type TypedSearchAttributes,
} from '@temporalio/common';
import { repairWorkflowIdOf, type RunId } from '../domain/ids.js';
import type { RunState } from '../domain/plan.js';
import { ENDS } from '../domain/steps.js';
import { runFailureType, stateQuery } from '../workflows/messages.js';
import { NoWorker, RunEnded } from './errors.js';

const QUERY_DEADLINE_MS = 5_000;
/** gRPC: DEADLINE_EXCEEDED and FAILED_PRECONDITION, which is how "no poller" looks. */
const NO_ANSWER: ReadonlySet<number> = new Set([4, 9]);

export const isNoAnswer = (error: unknown): boolean =>
  isGrpcServiceError(error) && NO_ANSWER.has(error.code);

/** Where a run stands: of an open one by query, of an ended one its report. @throws NoWorker, WorkflowNotFoundError */
export async function stateOf(
  client: WorkflowClient,
  handle: WorkflowHandle,
  runId: RunId,
): Promise<RunState> {
  const { status } = await handle.describe();
  if (isOpen(status.name)) return queried(client, handle, runId);
  // An ended run tells how it ended without any worker, and without being replayed.
  const report = await endOf(handle, runId);
  if (report !== undefined) return report;
  const repair = await repairOf(client, runId);
  if (repair === undefined) return broken(await queried(client, handle, runId), status.name);
  if (isOpen(repair.status)) return queried(client, repair.handle, runId);
  return (
    (await endOf(repair.handle, runId)) ??
    broken(await queried(client, repair.handle, runId), repair.status)
  );
}

const isOpen = (status: string): boolean => status === 'RUNNING' || status === 'PAUSED';

async function queried(
  client: WorkflowClient,
  handle: WorkflowHandle,
  runId: RunId,
): Promise<RunState> {
  try {
    return await client.connection.withDeadline(Date.now() + QUERY_DEADLINE_MS, () =>
      handle.query(stateQuery),
    );
  } catch (error) {
    if (isNoAnswer(error)) throw new NoWorker(runId);
    throw error;
  }
}

export interface Repair {
  readonly handle: WorkflowHandle;
  readonly status: string;
  readonly attributes: TypedSearchAttributes;
}

/** What takes a run back that Temporal has ended without its clean-up, once a sweep has started it. */
export async function repairOf(client: WorkflowClient, runId: RunId): Promise<Repair | undefined> {
  const handle = client.getHandle(repairWorkflowIdOf(runId));
  try {
    const { status, typedSearchAttributes } = await handle.describe();
    return { handle, status: status.name, attributes: typedSearchAttributes };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

/** The workflow that listens for this run now: its own, or the repair of one that was ended from outside. */
export async function inCharge(
  client: WorkflowClient,
  handle: WorkflowHandle,
  runId: RunId,
): Promise<WorkflowHandle> {
  if (isOpen((await handle.describe()).status.name)) return handle;
  return (await repairOf(client, runId))?.handle ?? handle;
}

/** Ended by Temporal in mid-run: what it last said of itself holds no longer, but for what it has made. */
function broken(last: RunState, status: string): RunState {
  const { runId, steps, currency, reservedMinor, spentMinor, residue } = last;
  return {
    ...{ runId, steps, currency, reservedMinor, spentMinor, residue },
    phase: 'unwinding',
    why: `Temporal ended this run in its midst (${status}); what it made still stands`,
    waitsFor: {
      what: 'the sweep of a worker, which runs every minute and takes it back',
      who: 'nobody, unless a case says so',
      command: 'countersign cases',
    },
  };
}

async function endOf(handle: WorkflowHandle, runId: RunId): Promise<RunState | undefined> {
  try {
    return await resultOf(handle, runId);
  } catch (error) {
    if (error instanceof RunEnded) return error.report;
    throw error;
  }
}

/** The report of a completed run. @throws RunEnded for every other end */
export async function resultOf(handle: WorkflowHandle, runId: RunId): Promise<RunState> {
  try {
    return (await handle.result()) as RunState;
  } catch (error) {
    if (error instanceof WorkflowFailedError) throw endedAs(error, runId);
    throw error;
  }
}

function endedAs(error: WorkflowFailedError, runId: RunId): RunEnded {
  const { cause } = error;
  if (cause instanceof ApplicationFailure) {
    const end = ENDS.find((name) => runFailureType(name) === cause.type);
    const report = cause.details?.[0] as RunState | undefined;
    return new RunEnded(end ?? 'failed', report, `run ${runId} ended: ${cause.message}`);
  }
  if (cause instanceof TerminatedFailure)
    return new RunEnded(
      'terminated',
      undefined,
      `run ${runId} was terminated in Temporal; what it made is found and undone by the sweep`,
    );
  if (cause instanceof CancelledFailure)
    return new RunEnded('cancelled', undefined, `run ${runId} was cancelled`);
  return new RunEnded('failed', undefined, `run ${runId} failed in Temporal`);
}
