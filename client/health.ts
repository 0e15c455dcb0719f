import type { Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTES, TASK_QUEUES } from '../workflows/messages.js';

/** What Temporal itself says of what a run leans on. */
export interface TemporalHealth {
  readonly serverVersion: string;
  /** Search attributes that are not registered: a run that sets one hangs. */
  readonly missingAttributes: readonly string[];
  /** Worker processes that poll each queue, by what they are. */
  readonly pollers: Readonly<Record<keyof typeof TASK_QUEUES, number>>;
}

type QueueType = NonNullable<
  Parameters<Connection['workflowService']['describeTaskQueue']>[0]['taskQueueType']
>;
/** `temporal.api.enums.v1.TaskQueueType`: workflow tasks on one queue, activities on the others. */
const wire = (value: unknown): QueueType => value as QueueType;
const WORKFLOW_TASKS = wire(1);
const ACTIVITY_TASKS = wire(2);
/** Temporal remembers pollers for minutes; one that has gone quiet is none. */
const POLLER_QUIET_MS = 70_000;

/** Asks the server; nothing is changed. */
export async function temporalHealth(
  connection: Connection,
  namespace: string,
): Promise<TemporalHealth> {
  const [system, attributes] = await Promise.all([
    connection.workflowService.getSystemInfo({}),
    connection.operatorService.listSearchAttributes({ namespace }),
  ]);
  const known = new Set(Object.keys(attributes.customAttributes));
  const polling = (queue: string, type: QueueType): Promise<number> =>
    pollers(connection, { namespace, queue, type });
  return {
    serverVersion: system.serverVersion,
    missingAttributes: Object.values(SEARCH_ATTRIBUTES)
      .map(({ name }) => name)
      .filter((name) => !known.has(name)),
    pollers: {
      workflows: await polling(TASK_QUEUES.workflows, WORKFLOW_TASKS),
      actions: await polling(TASK_QUEUES.actions, ACTIVITY_TASKS),
      compensations: await polling(TASK_QUEUES.compensations, ACTIVITY_TASKS),
    },
  };
}

async function pollers(
  connection: Connection,
  of: { readonly namespace: string; readonly queue: string; readonly type: QueueType },
): Promise<number> {
  const answer = await connection.workflowService.describeTaskQueue({
    namespace: of.namespace,
    taskQueue: { name: of.queue },
    taskQueueType: of.type,
  });
  const now = Date.now();
  return answer.pollers.filter(({ lastAccessTime }) => {
    const seconds = Number(lastAccessTime?.seconds ?? 0);
    return now - seconds * 1000 < POLLER_QUIET_MS;
  }).length;
}
