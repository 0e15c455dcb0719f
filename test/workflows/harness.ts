import { Client, Connection, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import {
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
  bundleWorkflowCode,
} from '@temporalio/worker';
import path from 'node:path';
import { createActivities } from '../../activities/index.js';
import type { RunId } from '../../domain/ids.js';
import type { RunState } from '../../domain/plan.js';
import type { Gateway } from '../../gateway/contract.js';
import { TASK_QUEUES, WORKFLOWS } from '../../workflows/messages.js';
import { startTestTemporal } from '../helpers/temporal.js';

type Bundle = Awaited<ReturnType<typeof bundleWorkflowCode>>;
const silent = () => undefined;
// Runs that end otherwise than completed, and activities that fail, are what these tests are about.
Runtime.install({ logger: new DefaultLogger('ERROR') });

/** The workflows, bundled from source. */
export const bundleOfWorkflows = (): Promise<Bundle> =>
  bundleWorkflowCode({
    workflowsPath: path.resolve(import.meta.dirname, '../../workflows/index.ts'),
    logger: {
      log: silent,
      trace: silent,
      debug: silent,
      info: silent,
      warn: silent,
      error: silent,
    },
  });

export interface Harness {
  readonly client: Client;
  readonly bundle: Bundle;
  readonly namespace: string;
  /** Of the server’s gRPC service. */
  readonly address: string;
  /** Runs workers over this gateway while the body runs. */
  withWorkers(gateway: Gateway, body: () => Promise<void>): Promise<void>;
  /** Starts a run, `run-1` and so on where it is given no name. */
  start(name?: string, workflow?: keyof typeof WORKFLOWS): Promise<WorkflowHandle>;
  close(): Promise<void>;
}

/** A real dev server, and the real workflows and activities over a gateway of the test's own. */
export async function startHarness(): Promise<Harness> {
  const temporal = await startTestTemporal();
  const { address, namespace } = temporal;
  const connection = await Connection.connect({ address });
  const native = await NativeConnection.connect({ address });
  const client = new Client({ connection, namespace, identity: 'test' });
  const bundle = await bundleOfWorkflows();
  let runs = 0;
  return {
    client,
    bundle,
    namespace,
    address,
    withWorkers: async (gateway, body) => {
      const activities = createActivities({ gateway, heartbeatMs: 100 });
      const workers = await Promise.all(
        Object.values(TASK_QUEUES).map((taskQueue) =>
          Worker.create({
            connection: native,
            namespace,
            taskQueue,
            identity: 'test',
            stickyQueueScheduleToStartTimeout: '1s',
            maxHeartbeatThrottleInterval: '100ms',
            defaultHeartbeatThrottleInterval: '100ms',
            ...(taskQueue === TASK_QUEUES.workflows ? { workflowBundle: bundle } : { activities }),
          }),
        ),
      );
      const running = Promise.all(workers.map((worker) => worker.run()));
      try {
        await body();
      } finally {
        for (const worker of workers) worker.shutdown();
        await running;
      }
    },
    start: (name, workflow = 'provision') => {
      runs += 1;
      const runId = (name ?? `run-${runs}`) as RunId;
      return client.workflow.start(WORKFLOWS[workflow], {
        workflowId: `provision/${runId}`,
        taskQueue: TASK_QUEUES.workflows,
        workflowTaskTimeout: '3s',
        args: [{ runId, request: '{}', statement: '{}', signature: '' }],
      });
    },
    close: async () => {
      await connection.close();
      await native.close();
      await temporal.stop();
    },
  };
}

/** How a run ended: the failure's type, and the final report that it carries. */
export async function endOf(
  handle: WorkflowHandle,
): Promise<{ readonly type: string; readonly report: RunState | undefined }> {
  const error: unknown = await handle.result().catch((thrown: unknown) => thrown);
  if (!(error instanceof WorkflowFailedError)) throw new Error(`it did not fail: ${String(error)}`);
  const { cause } = error;
  if (!(cause instanceof ApplicationFailure)) return { type: String(cause), report: undefined };
  return { type: cause.type ?? '', report: cause.details?.[0] as RunState | undefined };
}

/** Asks the run itself until it is in this phase. */
export async function reached(handle: WorkflowHandle, phase: string): Promise<RunState> {
  for (;;) {
    const state = await handle.query<RunState>('state');
    if (state.phase === phase) return state;
  }
}

/** A decision of the right form; its signature is the double's business. */
export function decision(
  workflowId: string,
  made: 'approve' | 'reject',
  of: { readonly gate?: string; readonly revision?: number } = {},
) {
  return {
    type: 'countersign.decision.v1',
    instance: '0'.repeat(32),
    gateId: `${workflowId}:${of.gate ?? 'plan'}:${of.revision ?? 1}`,
    actionDigest: `sha256:${'1'.repeat(64)}`,
    decision: made,
    approver: 'p_x',
    keyId: 'A'.repeat(43),
    surface: 'cli',
    decidedAt: '2026-01-01T00:00:00.000Z',
    signature: { kind: 'ed25519', value: 'A'.repeat(86) },
  };
}
