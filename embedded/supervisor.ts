import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { writeEndpoints, type Endpoints } from '../config/endpoints.js';
import { openSecrets, secretFile, type Secrets } from '../config/secrets.js';
import { emptyDataFolder, lockDataFolder, prepareDataFolder } from './data-folder.js';
import { PidFile } from './leftovers.js';
import {
  asApplication,
  ensureDatabase,
  isPostgresAlive,
  pingPostgres,
  prepareCluster,
  waitForPostgres,
} from './postgres.js';
import { stackPorts, type StackPorts } from './stack-ports.js';
import { SupervisedChild, type ChildEvents, type ChildPlan } from './supervised-child.js';
import { keepHistory, temporalCommand, waitForTemporal } from './temporal.js';
import { resolveTemporal, type TemporalChoice } from './temporal-binary.js';

/** A process of ours: it says `{"ready": NONCE}` on stdout and leaves when its stdin closes. */
export interface ServiceSpec {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  /** On top of the common list, COUNTERSIGN_DATA and COUNTERSIGN_NONCE. */
  readonly env?: Readonly<Record<string, string>>;
  /** `early` services start beside database and Temporal; the others when both are ready and prepared. */
  readonly early?: boolean;
}

export interface StackOptions {
  readonly dataDir: string;
  readonly cacheDir: string;
  /** Where the services run: relative files of the configuration are read from there. */
  readonly cwd: string;
  /** The environment list of all children. */
  readonly childEnv: Readonly<Record<string, string>>;
  /** Starts with an empty folder. */
  readonly fresh?: boolean;
  /** A database or Temporal of somebody else's, which is used instead of ours. */
  readonly databaseUrl?: string | undefined;
  /** The same database as its owner; absent: `databaseUrl` is the owner's. */
  readonly ownerUrl?: string | undefined;
  readonly temporalAddress?: string | undefined;
  readonly namespace?: string;
  /** Runs once when the database and Temporal answer, before the services: the migrations. */
  readonly prepare?: (of: {
    readonly ownerUrl: string;
    readonly endpoints: Endpoints;
  }) => Promise<void>;
  readonly services: (endpoints: Endpoints, ports: StackPorts) => readonly ServiceSpec[];
  readonly onProgress: (line: string) => void;
}

export interface Stack {
  readonly endpoints: Endpoints;
  /** The control database as its owner; our processes get another login. */
  readonly ownerUrl: string;
  readonly dataDir: string;
  readonly secrets: Secrets;
  /** Which Temporal was taken and why each earlier one was not, a line each. */
  readonly temporalNotes: readonly string[];
  readonly events: ChildEvents;
  readonly names: readonly string[];
  pidOf(name: string): number | undefined;
  /** Signals a child's whole group; false when it is not running. */
  kill(name: string, signal: NodeJS.Signals): boolean;
  stop(): Promise<void>;
}

/**
 * Starts the embedded stack on a data folder and keeps each process running until `stop`.
 * @throws UsageError when the folder is in use or not ours alone @throws UnreachableError when a part does not start
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { dataDir } = options;
  process.umask(0o077);
  prepareDataFolder(dataDir);
  const lock = await lockDataFolder(dataDir);
  const running: SupervisedChild[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(running.filter(isService).map((child) => child.stop()));
    await Promise.all(running.filter((child) => !isService(child)).map((child) => child.stop()));
    await lock.release();
  };
  try {
    return await assemble(options, running, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

const isService = ({ name }: SupervisedChild): boolean =>
  name !== 'postgres' && name !== 'temporal';

async function assemble(
  options: StackOptions,
  running: SupervisedChild[],
  stop: () => Promise<void>,
): Promise<Stack> {
  const { dataDir, onProgress } = options;
  const pids = new PidFile(dataDir);
  const left = await pids.endLeftovers();
  if (left.length > 0) onProgress(`Ended what an earlier stack left running: ${left.join(', ')}`);
  if (options.fresh === true) emptyDataFolder(dataDir);
  mkdirSync(path.join(dataDir, 'logs'), { recursive: true, mode: 0o700 });
  const secrets = openSecrets(dataDir);
  const ports = await stackPorts(dataDir);
  const events: ChildEvents = new EventEmitter();
  const launch = async (plan: ChildPlan): Promise<void> => {
    const child = new SupervisedChild(plan, pids, events);
    running.push(child);
    await child.start();
  };
  const [database, temporal] = await Promise.all([
    planDatabase(options, secrets, ports),
    planTemporal(options, ports),
  ]);
  for (const note of temporal.notes) onProgress(`Temporal: ${note}`);
  const places = endpointsOf(options, database.url, temporal, ports);
  const services = options.services(places, ports);
  // Under the one name that a browser lets a page of this machine have passkeys for.
  const serves = services.some(({ name }) => name === 'server');
  const serverUrl = `http://localhost:${ports.server}`;
  const endpoints = serves ? { ...places, serverUrl } : places;
  writeEndpoints(dataDir, endpoints);
  const plan = (spec: ServiceSpec): ChildPlan => planService(spec, options);
  await Promise.all([
    ...[database.plan, temporal.plan].filter((part) => part !== undefined).map(launch),
    ...services
      .filter(({ early }) => early === true)
      .map(plan)
      .map(launch),
  ]);
  await options.prepare?.({ ownerUrl: database.ownerUrl, endpoints });
  await Promise.all(
    services
      .filter(({ early }) => early !== true)
      .map(plan)
      .map(launch),
  );
  const find = (name: string): SupervisedChild | undefined =>
    running.find((child) => child.name === name);
  return {
    endpoints,
    ownerUrl: database.ownerUrl,
    dataDir,
    secrets,
    temporalNotes: temporal.notes,
    events,
    names: running.map(({ name }) => name),
    pidOf: (name) => find(name)?.pid,
    kill: (name, signal) => find(name)?.kill(signal) ?? false,
    stop,
  };
}

function logFile(dataDir: string, name: string): string {
  return path.join(dataDir, 'logs', `${name}.log`);
}

interface DatabasePlan {
  /** As the login that every process of ours uses. */
  readonly url: string;
  readonly ownerUrl: string;
  readonly plan: ChildPlan | undefined;
}

async function planDatabase(
  options: StackOptions,
  secrets: Secrets,
  ports: StackPorts,
): Promise<DatabasePlan> {
  const { databaseUrl, ownerUrl = databaseUrl } = options;
  if (databaseUrl !== undefined && ownerUrl !== undefined) {
    await waitForPostgres(ownerUrl, () => true);
    return { url: databaseUrl, ownerUrl, plan: undefined };
  }
  const cluster = await prepareCluster({
    dataDir: options.dataDir,
    cacheDir: options.cacheDir,
    password: secrets.databasePassword,
    port: ports.postgres,
  });
  const plan: ChildPlan = {
    name: 'postgres',
    command: () => cluster.command,
    ready: async ({ ended }) => {
      await waitForPostgres(cluster.adminUrl, ended);
      await ensureDatabase(cluster.adminUrl);
      await pingPostgres(cluster.url);
    },
    probe: () => isPostgresAlive(cluster.adminUrl),
    // A fast shutdown: ends the sessions, keeps the data consistent, needs no recovery.
    stopSignal: 'SIGINT',
    graceMs: 10_000,
    logFile: logFile(options.dataDir, 'postgres'),
  };
  const url = asApplication(cluster.url, secrets.applicationPassword);
  return { url, ownerUrl: cluster.url, plan };
}

interface TemporalPlan {
  readonly address: string;
  readonly ui: string | undefined;
  readonly notes: readonly string[];
  readonly plan: ChildPlan | undefined;
}

async function planTemporal(options: StackOptions, ports: StackPorts): Promise<TemporalPlan> {
  const { cacheDir, childEnv, dataDir, onProgress } = options;
  const namespace = options.namespace ?? 'default';
  const choice: TemporalChoice = await resolveTemporal({
    address: options.temporalAddress,
    cacheDir,
    env: childEnv,
    onProgress,
  });
  if (choice.source === 'address') {
    await waitForTemporal(choice.address, namespace, () => true);
    return { address: choice.address, ui: undefined, notes: choice.notes, plan: undefined };
  }
  const address = `127.0.0.1:${ports.temporal}`;
  const command = temporalCommand({
    file: choice.file,
    dbFile: path.join(dataDir, 'temporal.db'),
    ports: {
      grpc: ports.temporal,
      http: ports.temporalHttp,
      metrics: ports.temporalMetrics,
      ui: ports.temporalUi,
    },
    namespace,
    env: childEnv,
    cwd: dataDir,
  });
  const plan: ChildPlan = {
    name: 'temporal',
    command: () => command,
    ready: async ({ ended }) => {
      await waitForTemporal(address, namespace, ended);
      await keepHistory(address, namespace);
    },
    stopSignal: 'SIGTERM',
    graceMs: 5_000,
    logFile: logFile(dataDir, 'temporal'),
  };
  return { address, ui: `http://127.0.0.1:${ports.temporalUi}`, notes: choice.notes, plan };
}

function planService(spec: ServiceSpec, { dataDir, childEnv, cwd }: StackOptions): ChildPlan {
  return {
    name: spec.name,
    command: (nonce) => ({
      file: spec.file,
      args: spec.args,
      env: { ...childEnv, ...spec.env, COUNTERSIGN_DATA: dataDir, COUNTERSIGN_NONCE: nonce },
      cwd,
    }),
    ready: ({ announced }) => announced,
    stopSignal: 'SIGTERM',
    graceMs: 10_000,
    logFile: logFile(dataDir, spec.name),
  };
}

function endpointsOf(
  { dataDir, namespace = 'default' }: StackOptions,
  databaseUrl: string,
  temporal: TemporalPlan,
  ports: StackPorts,
): Endpoints {
  const local = (port: number): string => `http://127.0.0.1:${port}`;
  return {
    pid: process.pid,
    nonce: randomBytes(16).toString('hex'),
    databaseUrl,
    temporalAddress: temporal.address,
    ...(temporal.ui === undefined ? {} : { temporalUi: temporal.ui }),
    namespace,
    sandbox: {
      apiUrl: local(ports.sandboxApi),
      controlUrl: local(ports.sandboxControl),
      controlTokenFile: secretFile(dataDir, 'controlToken'),
      edgeUrl: local(ports.sandboxEdge),
      issuerUrl: local(ports.sandboxIssuer),
    },
  };
}
