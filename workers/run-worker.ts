import { NativeConnection, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import { pino, type Logger } from 'pino';
import { createActivities } from '../activities/index.js';
import { stepEffects } from '../activities/step-effects.js';
import { quoteReaders } from '../activities/quote-readers.js';
import { UnreachableError } from '../config/errors.js';
import { parseInstance } from '../domain/ids.js';
import type { Gateway } from '../gateway/contract.js';
import { countedCalls } from '../gateway/calls.js';
import { createDoor } from '../gateway/door.js';
import { createEgress } from '../gateway/egress.js';
import { createGateway, createParts } from '../gateway/create-gateway.js';
import type { StepEffects } from '../gateway/operation.js';
import type { Parts } from '../gateway/parts.js';
import type { QuoteReaders } from '../gateway/readers.js';
import { connect, type Database } from '../store/connect.js';
import { startBeside } from './beside.js';
import type { GatewaySettings, TemporalSettings, WorkerRole } from './settings.js';
import type { NoticeSettings } from './notice-settings.js';
import { checkDatabase, checkRoots, checkSearchAttributes } from './startup-checks.js';

export interface WorkerSetup {
  readonly role: WorkerRole;
  readonly temporal: TemporalSettings;
  /** Absent for the workflow worker: it holds no provider and no database credential. */
  readonly gateway?: GatewaySettings;
  /** The workflows, bundled at build time. */
  readonly bundlePath: string;
  readonly failpoint?: (place: string) => void;
  /** Absent, as in every program of ours: `REDACTION`. */
  readonly redaction?: Redaction;
  readonly logLevel?: string;
  /** Absent: this worker sends no notices. */
  readonly notices?: NoticeSettings;
  /** Other root keys than before are taken on, and everything is held. */
  readonly recover?: boolean;
  /** Between two sweeps, in ms. */
  readonly sweepEveryMs?: number;
}

type Meta = Readonly<Record<string | symbol, unknown>> | undefined;

/**
 * Where providers' words and our own secrets are kept out of failures and logs. No setting reaches it: a test starts
 * workers by a program of its own, to see that the very scan which finds nothing finds everything without this.
 */
export interface Redaction {
  /** Each classifies its errors: status, code and our words, never a body. */
  readonly operations: readonly StepEffects[];
  readonly readers: QuoteReaders;
  readonly meta: (meta: Meta) => object;
}

const REDACTION: Redaction = { operations: stepEffects, readers: quoteReaders, meta: safeMeta };

export interface RunningWorker {
  /** Resolves when it has shut down; rejects when it could not go on. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

const QUEUES: Readonly<Record<WorkerRole, readonly string[]>> = {
  workflows: ['countersign'],
  actions: ['countersign-actions'],
  compensations: ['countersign-compensations'],
  all: ['countersign', 'countersign-actions', 'countersign-compensations'],
};

/**
 * Starts one worker: checks what it leans on, then polls the queues of its role until stopped.
 * @throws UsageError, UnreachableError
 */
export async function runWorker(setup: WorkerSetup): Promise<RunningWorker> {
  const log = pino({ level: setup.logLevel ?? 'warn', base: { role: setup.role } });
  installRuntime(log, setup.redaction ?? REDACTION);
  const connection = await connectTemporal(setup.temporal);
  let db: Database | undefined;
  try {
    await checkSearchAttributes(connection, setup.temporal.namespace);
    const opened = await openGateway(setup, connection, log);
    db = opened?.db;
    const workers = await Promise.all(
      QUEUES[setup.role].map((queue) =>
        createWorker(setup, connection, queue, opened?.gateway, log),
      ),
    );
    const runs = Promise.all(workers.map((worker) => worker.run()));
    const stopBeside =
      opened === undefined
        ? undefined
        : startBeside({ setup, db: opened.db, parts: opened.parts, connection, log });
    const close = async (): Promise<void> => {
      await stopBeside?.();
      await connection.close();
      await opened?.db.destroy();
    };
    const ended = runs.then(close, async (error: unknown) => {
      await close();
      throw error;
    });
    return {
      ended,
      stop: async () => {
        for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
        await ended;
      },
    };
  } catch (error) {
    await connection.close();
    await db?.destroy();
    throw error;
  }
}

function installRuntime(log: Logger, redaction: Redaction): void {
  // We end on signals ourselves: the runtime would only drain, and a program waiting for more would hang.
  Runtime.install({
    shutdownSignals: [],
    logger: {
      log: (level, message, meta) => {
        log[
          level === 'TRACE'
            ? 'trace'
            : level === 'DEBUG'
              ? 'debug'
              : level === 'INFO'
                ? 'info'
                : level === 'WARN'
                  ? 'warn'
                  : 'error'
        ](redaction.meta(meta), message);
      },
      trace: (message, meta) => {
        log.trace(redaction.meta(meta), message);
      },
      debug: (message, meta) => {
        log.debug(redaction.meta(meta), message);
      },
      info: (message, meta) => {
        log.info(redaction.meta(meta), message);
      },
      warn: (message, meta) => {
        log.warn(redaction.meta(meta), message);
      },
      error: (message, meta) => {
        log.error(redaction.meta(meta), message);
      },
    },
  });
}

/** Which run and activity; never inputs, results or errors, which may quote what nobody should read. */
function safeMeta(meta: Meta): object {
  const known = ['workflowId', 'activityType', 'attempt', 'taskQueue', 'workflowType'] as const;
  return Object.fromEntries(
    known.flatMap((name) => (meta?.[name] === undefined ? [] : [[name, meta[name]]])),
  );
}

async function connectTemporal(temporal: TemporalSettings): Promise<NativeConnection> {
  try {
    return await NativeConnection.connect({
      address: temporal.address,
      ...(temporal.tls === undefined
        ? {}
        : { tls: { clientCertPair: { crt: temporal.tls.cert, key: temporal.tls.key } } }),
      ...(temporal.apiKey === undefined ? {} : { apiKey: temporal.apiKey, tls: true }),
    });
  } catch {
    throw new UnreachableError({
      what: 'Temporal does not answer',
      where: temporal.address,
      remedy:
        'Start it with `countersign up`, or set COUNTERSIGN_TEMPORAL_ADDRESS to one that runs',
    });
  }
}

interface Opened {
  readonly db: Database;
  readonly parts: Parts;
  readonly gateway: Gateway;
}

async function openGateway(
  setup: WorkerSetup,
  connection: NativeConnection,
  log: Logger,
): Promise<Opened | undefined> {
  const { gateway: settings, redaction = REDACTION } = setup;
  if (settings === undefined) return undefined;
  const db = connect(settings.databaseUrl, {
    onLost: (error) => {
      log.warn({ code: (error as NodeJS.ErrnoException).code }, 'a database connection was lost');
    },
  });
  try {
    const instance = await checkDatabase(db, connection, setup.temporal.namespace);
    const parts = createParts({
      db,
      door: createDoor(db),
      instance: parseInstance(instance.id),
      operations: redaction.operations,
      readers: redaction.readers,
      providers: settings.providers,
      credentials: settings.credentials,
      settling: settings.settling,
      calls: countedCalls(db, { counted: settings.providers === 'live' }),
      ...(settings.trust === undefined ? {} : { trust: settings.trust }),
      keyring: settings.keyring,
      ...(settings.httpTimeouts === undefined ? {} : { httpTimeouts: settings.httpTimeouts }),
      egress: createEgress(
        settings.edgeOrigin === undefined ? {} : { edgeOverride: settings.edgeOrigin },
      ),
    });
    const told = await checkRoots(parts, { recover: setup.recover === true });
    if (told !== undefined) log.warn(told);
    return { db, parts, gateway: createGateway(parts) };
  } catch (error) {
    await db.destroy();
    throw error;
  }
}

async function createWorker(
  setup: WorkerSetup,
  connection: NativeConnection,
  taskQueue: string,
  gateway: Gateway | undefined,
  log: Logger,
): Promise<Worker> {
  const common: WorkerOptions = {
    connection,
    namespace: setup.temporal.namespace,
    taskQueue,
    // A killed worker is missed within a second, not within ten.
    stickyQueueScheduleToStartTimeout: '1s',
    maxHeartbeatThrottleInterval: '800ms',
    defaultHeartbeatThrottleInterval: '800ms',
    shutdownGraceTime: '3s',
  };
  if (taskQueue === 'countersign')
    return Worker.create({ ...common, workflowBundle: { codePath: setup.bundlePath } });
  if (gateway === undefined) throw new Error('invariant: an activity worker has a gateway');
  const activities = createActivities({
    gateway,
    ...(setup.failpoint === undefined ? {} : { failpoint: setup.failpoint }),
    onUnforeseen: (activity, error) => {
      log.error(
        { activity, name: error instanceof Error ? error.name : typeof error },
        'unforeseen',
      );
    },
  });
  return Worker.create({ ...common, activities, maxConcurrentActivityTaskExecutions: 50 });
}
