import { createHash, randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { homedir, tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { prepareCluster } from '../../embedded/postgres.js';
import { commandLine } from '../../embedded/process-group.js';
import { prepareDatabase } from '../../cli/prepare.js';
import type { InstanceMode } from '../../store/schema.js';
import { freePort } from '../../embedded/ports.js';

const GUARD = fileURLToPath(new URL('./database-guard.mjs', import.meta.url));
const START_TIMEOUT_MS = 90_000;
/** Long enough that the next test file, or the next run, finds the cluster still up. */
const IDLE_MS = 60_000;

export interface FreshDatabase {
  /** An empty database of its own in a real PostgreSQL on loopback, as its owner (a superuser). */
  readonly url: string;
  /** The same as a login of our processes would connect; `letIn` makes that login. */
  readonly applicationUrl: string;
  /** Ends whoever is still connected and deletes the database. */
  drop(): Promise<void>;
}

let cluster: Promise<string> | undefined;

/** Creates an empty database in the PostgreSQL that all test processes of this checkout share. */
export async function freshDatabase(): Promise<FreshDatabase> {
  cluster ??= holdCluster();
  const adminUrl = await cluster;
  const name = `test_${randomBytes(8).toString('hex')}`;
  await administer(adminUrl, `create database ${name} template template0`);
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  const application = new URL(url);
  application.username = `app_${name}`;
  application.password = randomBytes(18).toString('hex');
  return {
    url: url.href,
    applicationUrl: application.href,
    drop: async () => {
      await administer(adminUrl, `drop database if exists ${name} with (force)`);
      await administer(adminUrl, `drop role if exists app_${name}`);
    },
  };
}

/** Migrates a fresh database and makes the login of our processes; answers the instance's id. */
export async function letIn(
  { applicationUrl, url }: FreshDatabase,
  mode: InstanceMode = 'embedded',
): Promise<string> {
  return prepareDatabase({ ownerUrl: url, url: applicationUrl }, mode);
}

async function administer(adminUrl: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** One socket per checkout and user; on Linux in the abstract name space, where nothing can be stale. */
function socketName(): string {
  const id = createHash('sha256').update(`${GUARD} ${userInfo().uid}`).digest('hex').slice(0, 16);
  const name = `countersign-test-database-${id}`;
  return process.platform === 'linux' ? `\0${name}` : path.join(tmpdir(), `${name}.sock`);
}

async function holdCluster(): Promise<string> {
  const socket = socketName();
  const deadline = performance.now() + START_TIMEOUT_MS;
  let mayStart = true;
  while (performance.now() < deadline) {
    const adminUrl = await hold(socket);
    if (adminUrl !== undefined) return adminUrl;
    if (mayStart) {
      mayStart = false;
      if (process.platform !== 'linux') await rm(socket, { force: true });
      await startGuard(socket);
    }
    await pause(50);
  }
  throw new Error(`The test database did not start within ${START_TIMEOUT_MS} ms.`);
}

async function startGuard(socket: string): Promise<void> {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'countersign-test-database-'));
  const { command, adminUrl, home } = await prepareCluster({
    dataDir,
    cacheDir: path.join(homedir(), '.cache', 'countersign'),
    port: await freePort(),
    password: randomBytes(18).toString('base64url'),
    durable: false,
  });
  const folders = [home, dataDir];
  const server = { ...command, ...commandLine(command) };
  const orders = JSON.stringify({ socket, idleMs: IDLE_MS, folders, adminUrl, command: server });
  spawn(process.execPath, [GUARD, orders], { detached: true, stdio: 'ignore' }).unref();
}

/** Connects and stays connected until this process ends: that is what keeps the cluster alive. */
function hold(socket: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const holder: Socket = connect(socket);
    let text = '';
    holder.setEncoding('utf8');
    holder.on('error', () => {
      resolve(undefined);
    });
    holder.on('close', () => {
      resolve(undefined);
    });
    holder.on('data', (chunk: string) => {
      text += chunk;
      if (!text.includes('\n')) return;
      holder.unref();
      const message: unknown = JSON.parse(text);
      if (typeof message === 'object' && message !== null && 'adminUrl' in message) {
        resolve(String(message.adminUrl));
      }
    });
  });
}
