import {
  Client,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  type WorkflowExecutionStatusName,
} from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';
import { repairWorkflowIdOf, workflowIdOf, type RunId } from '../domain/ids.js';
import type { Parts } from '../gateway/parts.js';
import { sweep, type BrokenStatus, type TemporalStatus } from '../gateway/sweep.js';
import { repeating } from './repeating.js';

/** How often a worker looks for what nobody is looking at, in ms. */
export const SWEEP_EVERY_MS = 60_000;

/** The SDK's names for the ends of an execution; whatever has another name has not ended. */
const ENDS: Readonly<Partial<Record<WorkflowExecutionStatusName, TemporalStatus>>> = {
  COMPLETED: 'COMPLETED',
  CANCELLED: 'CANCELED',
  FAILED: 'FAILED',
  TERMINATED: 'TERMINATED',
  TIMED_OUT: 'TIMED_OUT',
};

export interface SweeperOptions {
  readonly parts: Parts;
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly log: Logger;
  readonly everyMs?: number;
}

/**
 * Sweeps at once and then at intervals, from the worker's own timer: a schedule in Temporal could be deleted by
 * whoever ended the runs. Answers what stops it.
 */
export function startSweeper(options: SweeperOptions): () => Promise<void> {
  const { everyMs = SWEEP_EVERY_MS, log } = options;
  return repeating({ everyMs, log, unfinished: 'sweep not finished' }, () => sweepOnce(options));
}

async function sweepOnce({ parts, connection, namespace, log }: SweeperOptions): Promise<void> {
  const { workflow } = new Client({ connection, namespace });
  const { clusterId } = await connection.workflowService.getClusterInfo({});
  const swept = await sweep(parts, {
    temporal: { namespace, cluster: clusterId },
    describeRun: async (runId) => {
      try {
        const { status } = await workflow.getHandle(workflowIdOf(runId)).describe();
        // An unknown status is no explicit end: nothing is concluded from it.
        return ENDS[status.name] ?? 'RUNNING';
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return 'NOT_FOUND';
        throw error;
      }
    },
    startRepair: (runId, status) => startRepair(workflow, runId, status),
  });
  if (swept.repairs.length > 0 || swept.cases > 0)
    log.warn({ repairs: swept.repairs, cases: swept.cases }, 'the sweep found something');
}

async function startRepair(
  workflow: Client['workflow'],
  runId: RunId,
  status: BrokenStatus,
): Promise<void> {
  try {
    await workflow.start('repair', {
      workflowId: repairWorkflowIdOf(runId),
      taskQueue: 'countersign',
      args: [{ runId, status }],
      workflowTaskTimeout: '3s',
      staticSummary: `takes back run ${runId}, which Temporal says is ${status}`,
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}
