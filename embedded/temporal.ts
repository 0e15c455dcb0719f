import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { setTimeout as pause } from 'node:timers/promises';
import { reasonOf, UnreachableError } from '../config/errors.js';
import { SEARCH_ATTRIBUTE_TYPES } from '../domain/search-attributes.js';
import type { GroupCommand } from './process-group.js';

const DYNAMIC_CONFIG = [
  // Stock settings answer every hop on a 50 ms clock, and an eleventh update in flight collapses a run.
  'history.transferProcessorMaxPollRPS=2000',
  'history.timerProcessorMaxPollRPS=2000',
  'history.maxInFlightUpdates=1000',
  'system.enableActivityEagerExecution=true',
];
const RETENTION_MS = 30 * 24 * 3_600_000;
/** `HealthCheckResponse.ServingStatus.SERVING` of the gRPC health protocol. */
const SERVING = 1;
const START_TIMEOUT_MS = 60_000;

export interface TemporalPorts {
  readonly grpc: number;
  readonly http: number;
  readonly metrics: number;
  /** Absent: no web UI. */
  readonly ui?: number;
}

/** How to start the dev server. Without `dbFile` everything is lost when it ends. */
export function temporalCommand(options: {
  readonly file: string;
  readonly dbFile?: string;
  readonly ports: TemporalPorts;
  readonly namespace: string;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}): GroupCommand {
  const { ports, dbFile, namespace } = options;
  const stored = [
    '--db-filename',
    dbFile ?? '',
    ...pragmas('journal_mode=WAL', 'synchronous=NORMAL'),
  ];
  return {
    file: options.file,
    args: [
      ...['server', 'start-dev', '--ip', '127.0.0.1', '--namespace', namespace],
      ...['--port', String(ports.grpc), '--http-port', String(ports.http)],
      ...['--metrics-port', String(ports.metrics)],
      ...(ports.ui === undefined ? ['--headless'] : ['--ui-port', String(ports.ui)]),
      ...(dbFile === undefined ? [] : stored),
      ...DYNAMIC_CONFIG.flatMap((value) => ['--dynamic-config-value', value]),
      ...Object.entries(SEARCH_ATTRIBUTE_TYPES).flatMap(([name, type]) => [
        '--search-attribute',
        `${name}=${type}`,
      ]),
      ...['--log-level', 'error'],
    ],
    env: options.env,
    cwd: options.cwd,
    dieWithParent: true,
  };
}

function pragmas(...values: string[]): string[] {
  return values.flatMap((value) => ['--sqlite-pragma', value]);
}

/**
 * Asks the server for its gRPC health, its namespace and our search attributes. Rejects with what is
 * missing; `timeoutMs` bounds each question.
 */
export async function pingTemporal(
  address: string,
  namespace: string,
  timeoutMs = 2_000,
): Promise<void> {
  await withConnection(address, timeoutMs, async (connection) => {
    const health = await connection.healthService.check({
      service: 'temporal.api.workflowservice.v1.WorkflowService',
    });
    if (health.status.valueOf() !== SERVING) throw new Error(`health status ${health.status}`);
    await connection.workflowService.describeNamespace({ namespace });
    const { customAttributes } = await connection.operatorService.listSearchAttributes({
      namespace,
    });
    const missing = Object.keys(SEARCH_ATTRIBUTE_TYPES).filter(
      (name) => !(name in customAttributes),
    );
    if (missing.length > 0) throw new Error(`search attributes missing: ${missing.join(', ')}`);
  });
}

/** Keeps ended runs for 30 days; the dev server's own default forgets them after one. */
export async function keepHistory(address: string, namespace: string): Promise<void> {
  await withConnection(address, 10_000, async (connection) => {
    await connection.workflowService.updateNamespace({
      namespace,
      config: { workflowExecutionRetentionTtl: msToTs(RETENTION_MS) },
    });
  });
}

async function withConnection(
  address: string,
  timeoutMs: number,
  ask: (connection: Connection) => Promise<void>,
): Promise<void> {
  // Lazy, because a `connect` that fails leaves a channel behind that tries for ever.
  const connection = Connection.lazy({ address, connectTimeout: timeoutMs });
  try {
    await connection.ensureConnected();
    await connection.withDeadline(Date.now() + timeoutMs, () => ask(connection));
  } finally {
    await connection.close();
  }
}

/** Waits until the server answers. @throws UnreachableError when it ended, or after 60 s */
export async function waitForTemporal(
  address: string,
  namespace: string,
  ended: () => boolean,
): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      await pingTemporal(address, namespace);
      return;
    } catch (error) {
      if (!ended() && performance.now() < deadline) {
        await pause(50);
        continue;
      }
      throw new UnreachableError({
        what: `Temporal did not answer (${reasonOf(error)})`,
        where: address,
        remedy: 'See logs/temporal.log in the data folder, or whether something else has its port',
      });
    }
  }
}
