import { WorkflowUpdateFailedError, type Client, type WorkflowHandle } from '@temporalio/client';
import { repairWorkflowIdOf, workflowIdOf, type RunId } from '../../domain/ids.js';
import {
  decideSignal,
  decideUpdate,
  resolveSignal,
  resumeSignal,
  TASK_QUEUES,
  WORKFLOWS,
} from '../../workflows/messages.js';
import { reached } from '../workflows/harness.js';
import type { callerOf, Outcome } from './ground.js';
import type { TemporalOrderRoad, TemporalRoad } from './roads-of.js';

/** What one sees who sends something by signal. */
export const NOTHING = 'nothing';

/** Who holds all of Temporal, and how they reach each road. */
export interface Ways {
  readonly client: Client;
  readonly call: ReturnType<typeof callerOf>;
  readonly repairs: Repairs;
}

export const workflowOf = ({ workflow }: Client, runId: string): WorkflowHandle =>
  workflow.getHandle(workflowIdOf(runId as RunId));

/** Repairs that somebody has started: the record bears none of them out, so each is stuck before it has begun. */
export interface Repairs {
  start(runId: string, status: string): Promise<WorkflowHandle>;
  /** The one of this run, started now if there is none. */
  of(runId: string): Promise<WorkflowHandle>;
  end(runId: string): Promise<void>;
}

export function startedRepairs({ workflow }: Client): Repairs {
  const running = new Map<string, WorkflowHandle>();
  const start = async (runId: string, status: string): Promise<WorkflowHandle> => {
    const handle = await workflow.start(WORKFLOWS.repair, {
      workflowId: repairWorkflowIdOf(runId as RunId),
      taskQueue: TASK_QUEUES.workflows,
      args: [{ runId, status }],
    });
    running.set(runId, handle);
    return handle;
  };
  return {
    start,
    of: async (runId) => {
      const known = running.get(runId);
      if (known !== undefined) return known;
      const handle = await start(runId, 'TERMINATED');
      await reached(handle, 'stuck');
      return handle;
    },
    end: async (runId) => {
      await running.get(runId)?.terminate('the row is done');
      running.delete(runId);
    },
  };
}

/** Brings a decision by this road; answers what the road says of it. */
export async function decideBy(
  { call, client, repairs }: Ways,
  road: TemporalRoad,
  runId: string,
  message: object,
): Promise<string> {
  if (road === 'recordDecision')
    return verdictOf(await call(road, { runId, road: 'signal', messages: [message] }));
  const handle = road.startsWith('repair') ? await repairs.of(runId) : workflowOf(client, runId);
  if (road.endsWith('update decide')) return updated(handle, message);
  await handle.signal(decideSignal, message as never);
  return NOTHING;
}

/** The verdict's reason, or the words of whoever turned it away unjudged. */
async function updated(handle: WorkflowHandle, message: object): Promise<string> {
  try {
    const verdict = await handle.executeUpdate(decideUpdate, { args: [message as never] });
    return verdict.accepted ? 'accepted' : verdict.reason;
  } catch (error) {
    if (!(error instanceof WorkflowUpdateFailedError)) throw error;
    return error.cause?.message ?? error.message;
  }
}

/** The same for a signed order. */
export async function orderBy(
  { call, client, repairs }: Ways,
  road: TemporalOrderRoad,
  runId: string,
  message: object,
): Promise<string> {
  if (road === 'resolveStep' || road === 'resumeRun')
    return verdictOf(await call(road, { runId, message }, TASK_QUEUES.compensations));
  const handle = road.startsWith('repair') ? await repairs.of(runId) : workflowOf(client, runId);
  if (road.endsWith('resume')) await handle.signal(resumeSignal, message as never);
  else await handle.signal(resolveSignal, message as never);
  return NOTHING;
}

interface Verdict {
  readonly accepted: boolean;
  readonly reason?: string;
}

/** A verdict’s reason, the code of a failure, or `accepted`. */
export function verdictOf({ answer, code }: Outcome): string {
  if (code !== undefined) return code;
  const [verdict] = [answer].flat() as Verdict[];
  return verdict?.accepted === false ? (verdict.reason ?? '') : 'accepted';
}

interface Metadata {
  readonly definition: Readonly<Record<'type', string>> &
    Readonly<Record<`${'signal' | 'update' | 'query'}Definitions`, readonly { name: string }[]>>;
}

/** What a workflow says of itself: every message that it has a handler for, as `<workflow>: <kind> <name>`. */
export async function listens(handle: WorkflowHandle): Promise<readonly string[]> {
  const { definition } = await handle.query<Metadata>('__temporal_workflow_metadata');
  return (['signal', 'update', 'query'] as const).flatMap((kind) =>
    definition[`${kind}Definitions`]
      .filter(({ name }) => !name.startsWith('__'))
      .map(({ name }) => `${definition.type}: ${kind} ${name}`),
  );
}
