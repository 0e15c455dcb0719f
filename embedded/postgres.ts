import { createHash, randomBytes } from 'node:crypto';
import { access, chmod, chown, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { reasonOf, UnreachableError } from '../config/errors.js';
import {
  locatePostgres,
  ROOT_STATE_DIR,
  runsAsRoot,
  type PostgresBinaries,
} from './postgres-binaries.js';
import { freePort } from './ports.js';
import { spawnGroup, type GroupCommand } from './process-group.js';
import { lastLine, runCommand } from './run-command.js';

export const DATABASE_NAME = 'countersign';
export const DATABASE_OWNER = 'countersign_owner';
const DATABASE_APPLICATION = 'countersign_app';
const INITDB_TIMEOUT_MS = 120_000;
const START_TIMEOUT_MS = 30_000;

export interface ClusterOptions {
  readonly dataDir: string;
  /** Holds the copied programs when those of npm cannot be used where they are. */
  readonly cacheDir: string;
  readonly password: string;
  readonly port: number;
  /** False only for tests: no fsync, so a power cut loses the cluster. Default true. */
  readonly durable?: boolean;
}

export interface Cluster {
  /** The folder of the cluster. */
  readonly home: string;
  readonly command: GroupCommand;
  /** The product's own database, as its owner. */
  readonly url: string;
  /** The database that always exists, for making the others. */
  readonly adminUrl: string;
}

/**
 * Where the cluster of a data folder lies: inside it, except for root, whose database runs as
 * another user, which can enter neither a 0700 folder of root nor root's home.
 */
export function postgresHome(dataDir: string, password: string): string {
  if (!runsAsRoot()) return path.join(dataDir, 'postgres');
  // The password is part of the name: a data folder that was deleted and made again gets a new cluster.
  const key = `${path.resolve(dataDir)}\0${password}`;
  const id = createHash('sha256').update(key).digest('hex').slice(0, 16);
  return path.join(ROOT_STATE_DIR, 'postgres', id);
}

/**
 * Makes the cluster on first use and says how to start it; the folder of a cluster is made aside and renamed,
 * so one cut short is made again. @throws UnreachableError when PostgreSQL can't be set up
 */
export async function prepareCluster(options: ClusterOptions): Promise<Cluster> {
  const binaries = await locatePostgres(options.cacheDir);
  const home = postgresHome(options.dataDir, options.password);
  if (!(await exists(path.join(home, 'PG_VERSION')))) {
    await initialise(binaries, home, options.password, options.durable ?? true);
  }
  return describeCluster(binaries, home, options);
}

async function initialise(
  { initdb, user }: PostgresBinaries,
  home: string,
  password: string,
  durable: boolean,
): Promise<void> {
  const fresh = `${home}.new`;
  const passwordFile = `${home}.password`;
  await mkdir(path.dirname(home), { recursive: true, mode: 0o700 });
  if (user !== undefined) {
    // By explicit mode, since our umask is 077: the database's user has to walk through.
    for (const folder of [ROOT_STATE_DIR, path.dirname(home)]) await chmod(folder, 0o755);
  }
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { mode: 0o700 });
  await rm(passwordFile, { force: true });
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600, flag: 'wx' });
  if (user !== undefined) {
    await chown(fresh, user.uid, user.gid);
    await chown(passwordFile, user.uid, user.gid);
  }
  const result = await runCommand(initdb, initdbArgs(fresh, passwordFile, durable), {
    env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' },
    cwd: fresh,
    timeoutMs: INITDB_TIMEOUT_MS,
    ...user,
  });
  await rm(passwordFile, { force: true });
  if (result.code !== 0) {
    throw new UnreachableError({
      what: `initdb failed (${lastLine(result.output)})`,
      where: home,
      remedy: 'Check free space and permissions there, or choose another folder with --data',
    });
  }
  await rename(fresh, home);
}

function initdbArgs(home: string, passwordFile: string, durable: boolean): string[] {
  return [
    `--pgdata=${home}`,
    `--username=${DATABASE_OWNER}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--no-instructions',
    ...(durable ? [] : ['--no-sync']),
  ];
}

function describeCluster(
  { postgres, user }: PostgresBinaries,
  home: string,
  { password, port, durable = true }: ClusterOptions,
): Cluster {
  const settings = [
    'listen_addresses=127.0.0.1',
    // Loopback with a random password instead of a socket: the same URL form as in production.
    'unix_socket_directories=',
    `max_connections=${durable ? 100 : 300}`,
    'shared_buffers=64MB',
    'timezone=UTC',
    'log_timezone=UTC',
    // Statements may carry customer data: the log says what went wrong, not what was asked.
    'log_min_error_statement=panic',
    'log_statement=none',
    ...(durable ? [] : ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off']),
  ];
  const to = (database: string): string =>
    `postgresql://${DATABASE_OWNER}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`;
  return {
    home,
    command: {
      file: postgres,
      args: ['-D', home, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])],
      env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' },
      cwd: home,
      dieWithParent: true,
      ...(user === undefined ? {} : { user }),
    },
    url: to(DATABASE_NAME),
    adminUrl: to('postgres'),
  };
}

/** Asks the database `select 1` over a new connection; rejects when there is no answer within `timeoutMs`. */
export async function pingPostgres(url: string, timeoutMs = 2_000): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
  });
  // A connection that breaks while nobody waits for it emits an error, which would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
  } finally {
    void client.end().catch(() => undefined);
  }
}

/**
 * Resolves when the server gives any answer at all, a refusal included: one that has no connection left, or is
 * recovering, must not be killed for it.
 */
export async function isPostgresAlive(url: string): Promise<void> {
  try {
    await pingPostgres(url);
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
  }
}

/** The same database as the login of our processes, which owns nothing. */
export function asApplication(ownerUrl: string, password: string): string {
  const url = new URL(ownerUrl);
  url.username = DATABASE_APPLICATION;
  url.password = encodeURIComponent(password);
  return url.href;
}

/** Creates the product's database in the cluster unless it is there. */
export async function ensureDatabase(adminUrl: string, name = DATABASE_NAME): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const found = await client.query('select 1 from pg_database where datname = $1', [name]);
    if (found.rowCount === 0)
      await client.query(`create database ${client.escapeIdentifier(name)}`);
  } finally {
    await client.end();
  }
}

export interface RunningPostgres {
  readonly url: string;
  readonly pid: number;
  /** Ends the database cleanly (a fast shutdown) and waits for it. */
  stop(): Promise<void>;
}

/**
 * Starts a cluster of its own for one process, without a supervisor. The password of an existing
 * cluster must be the one it was made with. @throws UnreachableError
 */
export async function startPostgres(options: {
  readonly dataDir: string;
  readonly cacheDir: string;
  readonly port?: number;
  readonly password?: string;
  readonly durable?: boolean;
}): Promise<RunningPostgres> {
  const port = options.port ?? (await freePort());
  const password = options.password ?? randomBytes(24).toString('base64url');
  const cluster = await prepareCluster({ ...options, port, password });
  const group = spawnGroup(cluster.command);
  try {
    await waitForPostgres(cluster.adminUrl, group.ended);
    await ensureDatabase(cluster.adminUrl);
  } catch (error) {
    await group.end('SIGKILL', 5_000);
    throw error;
  }
  return { url: cluster.url, pid: group.pid, stop: () => group.end('SIGINT', 10_000) };
}

/** Waits until the database answers. @throws UnreachableError when it ended, or after 30 s */
export async function waitForPostgres(url: string, ended: () => boolean): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      await pingPostgres(url);
      return;
    } catch (error) {
      if (!ended() && performance.now() < deadline) {
        await pause(50);
        continue;
      }
      throw new UnreachableError({
        what: `PostgreSQL did not start (${reasonOf(error)})`,
        remedy: 'See logs/postgres.log in the data folder',
      });
    }
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch {
    return false;
  }
}
