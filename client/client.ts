import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  Client,
  Connection,
  WorkflowExecutionAlreadyStartedError,
  type WorkflowStartOptions,
} from '@temporalio/client';
import { canonicalize, digestOf } from '../domain/canonical.js';
import { Failure } from '../domain/errors.js';
import { parseRunId, runIdOfWorkflow, workflowIdOf, type RunId } from '../domain/ids.js';
import { parseRequest, type Request } from '../domain/request.js';
import { ENDS, PHASES, type End, type Phase } from '../domain/steps.js';
import { SEARCH_ATTRIBUTES, TASK_QUEUES, WORKFLOWS } from '../workflows/messages.js';
import { FileRefused, RunIdTaken, TemporalUnreachable } from './errors.js';
import { temporalHealth, type TemporalHealth } from './health.js';
import { runHandle, type RunHandle } from './run-handle.js';
import { repairOf } from './run-state.js';
import { loadServiceKey, signAdmission, type ServiceKey } from './service-key.js';

export interface ClientOptions {
  /** `host:port` of Temporal's gRPC front end. */
  readonly address: string;
  readonly namespace?: string;
  /** A service key, or the file that holds it. Needed to start runs, and for nothing else. */
  readonly serviceKey?: ServiceKey | string;
  /** Files of the client certificate (PEM). */
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
  readonly apiKey?: string;
  readonly connectTimeoutMs?: number;
}

/** One line of `list`. */
export interface RunListing {
  readonly runId: RunId;
  readonly status: string;
  readonly startedAt: Date;
  readonly closedAt: Date | undefined;
  readonly phase: string | undefined;
  readonly awaitingApproval: boolean;
  readonly domain: string | undefined;
  readonly environment: string | undefined;
  readonly agent: string | undefined;
  readonly principal: string | undefined;
  /** Cents. */
  readonly spentMinor: number | undefined;
}

export interface StartOptions {
  /** The same id with the same request is the same run. Default: a fresh one. */
  readonly runId?: string;
  /** A request of docs/reference/request.schema.json, with `bundle`, never `site`. */
  readonly request: unknown;
}

export interface CountersignClient {
  /** Starts a run, or finds the one that this id and request already are. @throws Failure REQUEST_INVALID, RunIdTaken */
  start(options: StartOptions): Promise<RunHandle>;
  /** Starts the workflow of a run that is on record already: the server has admitted it. @throws RunIdTaken */
  startAdmitted(of: { readonly runId: string; readonly request: Request }): Promise<RunHandle>;
  /** @throws Failure REQUEST_INVALID for a malformed id */
  run(runId: string): RunHandle;
  /** Newest first, at most `limit` (default 100). */
  list(filter?: { readonly phase?: Phase | End; readonly limit?: number }): Promise<RunListing[]>;
  /** Are search attributes registered, do workers poll? Reads only. */
  health(): Promise<TemporalHealth>;
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 5_000;
const LIST_LIMIT = 100;
/** A killed worker's task is handed on after this; Temporal's own default of 10 s would be felt. */
const WORKFLOW_TASK_TIMEOUT = '3s';

/** Connects to Temporal. @throws TemporalUnreachable, FileRefused */
export async function createClient(options: ClientOptions): Promise<CountersignClient> {
  const { serviceKey } = options;
  const by = typeof serviceKey === 'string' ? loadServiceKey(serviceKey) : serviceKey;
  const connection = await connect(options);
  const namespace = options.namespace ?? 'default';
  const { workflow } = new Client({ connection, namespace });
  return {
    start: (of) => start(workflow, by, of),
    startAdmitted: ({ runId, request }) => launch(workflow, parseRunId(runId), request, {}),
    run: (runId) => runHandle(workflow, parseRunId(runId)),
    list: async ({ phase, limit = LIST_LIMIT } = {}) => {
      const listed: RunListing[] = [];
      for await (const info of workflow.list({ query: listQuery(phase) })) {
        const runId = runIdOfWorkflow(info.workflowId);
        const listing = runId === undefined ? undefined : await listingOf(workflow, runId, info);
        if (listing !== undefined && (phase === undefined || listing.phase === phase))
          listed.push(listing);
        if (listed.length >= limit) break;
      }
      return listed;
    },
    health: () => temporalHealth(connection, namespace),
    close: () => connection.close(),
  };
}

async function connect(options: ClientOptions): Promise<Connection> {
  const tls =
    options.tls === undefined
      ? undefined
      : {
          clientCertPair: { crt: pem(options.tls.certFile), key: pem(options.tls.keyFile) },
        };
  try {
    return await Connection.connect({
      address: options.address,
      connectTimeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      ...(tls === undefined ? {} : { tls }),
      ...(options.apiKey === undefined ? {} : { apiKey: options.apiKey, tls: tls ?? true }),
    });
  } catch {
    throw new TemporalUnreachable(options.address, 'no connection within the time allowed');
  }
}

function pem(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch {
    throw new FileRefused(file, 'it cannot be read', 'Name a PEM file that exists');
  }
}

type WorkflowClient = Client['workflow'];

async function start(
  client: WorkflowClient,
  by: ServiceKey | undefined,
  { runId: given, request: value }: StartOptions,
): Promise<RunHandle> {
  if (by === undefined)
    throw new Failure('REQUEST_INVALID', 'starting a run needs a service key: pass serviceKey');
  const request = parseRequest(value);
  const runId = parseRunId(given ?? `run-${randomBytes(5).toString('hex')}`);
  const requestDigest = digestOf(request);
  const admission = signAdmission({ runId, requestDigest, at: new Date().toISOString() }, by);
  return launch(client, runId, request, admission);
}

async function launch(
  client: WorkflowClient,
  runId: RunId,
  request: Request,
  admission: { readonly statement?: string; readonly signature?: string },
): Promise<RunHandle> {
  const requestDigest = digestOf(request);
  const claim = { runId, request: canonicalize(request), ...admission };
  try {
    await client.start(workflowOf(request), {
      args: [claim],
      ...startOptions(runId, request, requestDigest),
    });
  } catch (error) {
    // One that has ended: an id is never used twice, but asking again for the same run is answered.
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
  const { memo } = await client.getHandle(workflowIdOf(runId)).describe();
  if (memo?.['requestDigest'] !== requestDigest) throw new RunIdTaken(runId);
  return runHandle(client, runId);
}

const workflowOf = ({ tearsDown }: Request): string =>
  tearsDown === undefined ? WORKFLOWS.provision : WORKFLOWS.teardown;

type StartSettings = Omit<WorkflowStartOptions, 'args'>;

/** What operators read in Temporal's own UI: no words of the agent, no e-mail address, no secret. */
function startOptions(runId: RunId, request: Request, requestDigest: string): StartSettings {
  const { domain, environment, budget, tearsDown } = request;
  const what =
    tearsDown === undefined
      ? `puts **${domain.name}** online (${environment}), spending at most **${budget}**`
      : `takes down what \`${tearsDown}\` made under **${domain.name}** (${environment})`;
  const ends = tearsDown === undefined ? 'to end it and put back what was done' : 'to end it';
  return {
    workflowId: workflowIdOf(runId),
    taskQueue: TASK_QUEUES.workflows,
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
    memo: { requestDigest },
    staticSummary:
      tearsDown === undefined
        ? `${domain.name}, ${environment}, up to ${budget}`
        : `${domain.name}, ${environment}, tears down ${tearsDown}`,
    staticDetails: [
      `Run \`${runId}\` ${what}.`,
      '',
      `- what it waits for, and the next command: \`countersign why ${runId}\``,
      `- ${ends}: \`countersign stop --run ${runId} --reason "…"\``,
    ].join('\n'),
    typedSearchAttributes: [
      { key: SEARCH_ATTRIBUTES.phase, value: 'quoting' },
      { key: SEARCH_ATTRIBUTES.awaitingApproval, value: false },
      { key: SEARCH_ATTRIBUTES.domain, value: domain.name },
      { key: SEARCH_ATTRIBUTES.environment, value: environment },
      { key: SEARCH_ATTRIBUTES.spentMinor, value: 0 },
    ],
  };
}

function listQuery(phase: Phase | End | undefined): string {
  const known = [...PHASES, ...ENDS].find((name) => name === phase);
  const ofType = `WorkflowType IN ('${WORKFLOWS.provision}', '${WORKFLOWS.teardown}')`;
  // What Temporal has ended in its midst is in the phase of its repair, whatever it last said of itself.
  return known === undefined
    ? ofType
    : `${ofType} AND (Phase = '${known}' OR ExecutionStatus IN (${BROKEN.map((status) => `'${status.temporal}'`).join(', ')}))`;
}

const BROKEN = [
  { name: 'TERMINATED', temporal: 'Terminated' },
  { name: 'TIMED_OUT', temporal: 'TimedOut' },
  { name: 'CANCELLED', temporal: 'Canceled' },
] as const;

type Listed = ReturnType<WorkflowClient['list']> extends AsyncIterable<infer Info> ? Info : never;

async function listingOf(client: WorkflowClient, runId: RunId, info: Listed): Promise<RunListing> {
  const attributes = info.typedSearchAttributes;
  const listing = listingAsShown(runId, info);
  const phase = attributes.get(SEARCH_ATTRIBUTES.phase);
  const midst =
    BROKEN.some(({ name }) => name === info.status.name) ||
    (info.status.name === 'FAILED' && !ENDS.some((end) => end === phase));
  if (!midst) return listing;
  const repair = await repairOf(client, runId);
  const shown = repair?.attributes.get(SEARCH_ATTRIBUTES.phase);
  const spentMinor = repair?.attributes.get(SEARCH_ATTRIBUTES.spentMinor);
  return {
    ...listing,
    phase: shown ?? 'unwinding',
    awaitingApproval: false,
    ...(spentMinor === undefined ? {} : { spentMinor }),
  };
}

function listingAsShown(runId: RunId, info: Listed): RunListing {
  const attributes = info.typedSearchAttributes;
  return {
    runId,
    status: info.status.name,
    startedAt: info.startTime,
    closedAt: info.closeTime,
    phase: attributes.get(SEARCH_ATTRIBUTES.phase),
    awaitingApproval: attributes.get(SEARCH_ATTRIBUTES.awaitingApproval) ?? false,
    domain: attributes.get(SEARCH_ATTRIBUTES.domain),
    environment: attributes.get(SEARCH_ATTRIBUTES.environment),
    agent: attributes.get(SEARCH_ATTRIBUTES.agent),
    principal: attributes.get(SEARCH_ATTRIBUTES.principal),
    spentMinor: attributes.get(SEARCH_ATTRIBUTES.spentMinor),
  };
}
