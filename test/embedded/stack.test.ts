import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import pg from 'pg';
import { cacheFolder, childEnvironment, processVariables } from '../../config/environment.js';
import { endpointsFile, readEndpoints } from '../../config/endpoints.js';
import { UnreachableError, UsageError } from '../../config/errors.js';
import { readSecrets } from '../../config/secrets.js';
import { removeDataFolder } from '../../embedded/data-folder.js';
import { DATABASE_OWNER, pingPostgres } from '../../embedded/postgres.js';
import { startStack, type Stack, type StackOptions } from '../../embedded/supervisor.js';
import type { ChildEvent } from '../../embedded/supervised-child.js';
import { pingTemporal } from '../../embedded/temporal.js';
import { compileFolders, type Compiled } from '../../scripts/compile-folders.mjs';

const SERVICE = fileURLToPath(new URL('./fixtures/service.mjs', import.meta.url));
const RUN_STACK = fileURLToPath(new URL('./fixtures/run-stack.mjs', import.meta.url));
const KILLED_BACK_MS = 5_000;
const environment = {
  cacheDir: cacheFolder(processVariables()),
  childEnv: { HOME: homedir(), ...childEnvironment(processVariables()) },
  cwd: tmpdir(),
};

let compiled: Compiled;
const folders: string[] = [];
const stacks: Stack[] = [];

beforeAll(async () => {
  compiled = await compileFolders(['config', 'domain', 'embedded']);
});
afterAll(() => {
  for (const folder of folders) removeDataFolder(folder);
  compiled.remove();
});
afterEach(async () => {
  for (const stack of stacks.splice(0)) await stack.stop();
});

/** The database of a stack that another process has started, as its owner: the login of our processes is made later. */
function ownerUrlOf(dataDir: string): string {
  const url = new URL(readEndpoints(dataDir).databaseUrl);
  url.username = DATABASE_OWNER;
  url.password = readSecrets(dataDir).databasePassword;
  return url.href;
}

function newFolder(): string {
  const folder = path.join(mkdtempSync(path.join(tmpdir(), 'countersign-stack-')), 'data');
  // The data folder before its parent: as root its database lies elsewhere and is found through it.
  folders.push(folder, path.dirname(folder));
  return folder;
}

type Extra = Partial<StackOptions> & { readonly modes?: readonly string[] };

async function up(dataDir: string, { modes = ['good'], ...extra }: Extra = {}): Promise<Stack> {
  const stack = await startStack({
    ...environment,
    dataDir,
    services: () =>
      modes.map((mode) => ({ name: mode, file: process.execPath, args: [SERVICE, mode] })),
    onProgress: () => undefined,
    ...extra,
  });
  stacks.push(stack);
  return stack;
}

function readyAgain(stack: Stack, name: string, before: number | undefined): Promise<void> {
  return new Promise((resolve) => {
    const look = (event: ChildEvent): void => {
      if (event.name !== name || event.kind !== 'ready' || event.pid === before) return;
      stack.events.off('child', look);
      resolve();
    };
    stack.events.on('child', look);
  });
}

/** True while the process runs; one that has ended but was not waited for yet does not count. */
function runs(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !stat.slice(stat.lastIndexOf(')')).startsWith(') Z');
  } catch {
    return false;
  }
}

async function untilGone(pids: readonly number[]): Promise<void> {
  while (pids.some(runs)) await pause(20);
}

test('each child killed with -9 is back within 5 s, at its old address, and nothing it stored is lost', async () => {
  const stack = await up(newFolder(), { modes: ['good', 'grandchild'] });
  const { temporalAddress, namespace } = stack.endpoints;
  const client = new pg.Client({ connectionString: stack.ownerUrl });
  await client.connect();
  await client.query('create table kept (n int)');
  await client.query('insert into kept values (7)');
  await client.end();
  const connection = Connection.lazy({ address: temporalAddress });
  const temporal = new Client({ connection, namespace });
  await temporal.workflow.start('waits', { workflowId: 'kept', taskQueue: 'nobody', args: [] });

  for (const name of stack.names) {
    const before = stack.pidOf(name);
    const killed = performance.now();
    const back = readyAgain(stack, name, before);
    process.kill(Number(before), 'SIGKILL');
    await back;
    expect([name, performance.now() - killed < KILLED_BACK_MS]).toEqual([name, true]);
    expect(stack.pidOf(name)).not.toBe(before);
  }

  const again = new pg.Client({ connectionString: stack.ownerUrl });
  await again.connect();
  expect((await again.query('select n from kept')).rows).toEqual([{ n: 7 }]);
  await again.end();
  expect((await temporal.workflow.getHandle('kept').describe()).status.name).toBe('RUNNING');
  await connection.close();
});

test('a killed leader takes what it had started with it', async () => {
  const dataDir = newFolder();
  const stack = await up(dataDir, { modes: ['grandchild'] });
  const grandchild = Number(readFileSync(path.join(dataDir, 'grandchild.pid'), 'utf8'));
  expect(runs(grandchild)).toBe(true);
  const before = stack.pidOf('grandchild');
  const back = readyAgain(stack, 'grandchild', before);
  process.kill(Number(before), 'SIGKILL');
  await back;
  expect(runs(grandchild)).toBe(false);
});

test('a database that hangs without ending is noticed and replaced', async () => {
  const stack = await up(newFolder(), { modes: [] });
  const before = stack.pidOf('postgres');
  const back = readyAgain(stack, 'postgres', before);
  process.kill(Number(before), 'SIGSTOP');
  await back;
  await pingPostgres(stack.ownerUrl);
});

test('a second start on the same folder is refused and disturbs nothing; after the stop it may start', async () => {
  const dataDir = newFolder();
  const stack = await up(dataDir, { modes: [] });
  const second = up(dataDir, { modes: [] });
  await expect(second).rejects.toBeInstanceOf(UsageError);
  await expect(second).rejects.toThrow(
    `${dataDir}: a stack is already running on this data folder. Use the running one`,
  );
  await pingPostgres(stack.ownerUrl);
  expect(readEndpoints(dataDir)).toEqual(stack.endpoints);
  await stack.stop();
  const { endpoints } = await up(dataDir, { modes: [] });
  expect(endpoints.databaseUrl).toBe(stack.endpoints.databaseUrl);
  expect(endpoints.nonce).not.toBe(stack.endpoints.nonce);
});

test('everything in the folder is closed to other users, and the endpoints tell where everything answers', async () => {
  const dataDir = newFolder();
  const stack = await up(dataDir);
  const open = readdirSync(dataDir, { recursive: true, encoding: 'utf8' }).filter(
    (name) => (statSync(path.join(dataDir, name)).mode & 0o077) !== 0,
  );
  expect(open).toEqual([]);
  expect(statSync(dataDir).mode & 0o777).toBe(0o700);
  expect(statSync(endpointsFile(dataDir)).mode & 0o777).toBe(0o600);
  const { temporalAddress, namespace } = readEndpoints(dataDir);
  await pingPostgres(ownerUrlOf(dataDir));
  await pingTemporal(temporalAddress, namespace);
  expect(stack.temporalNotes.at(-1)).toMatch(/^(path|cache|download|build): taken, /);
});

test('a child starts with the listed environment only, and no secret is in any argument', async () => {
  process.env['STRIPE_API_KEY'] = 'sk_live_from_the_shell';
  const dataDir = newFolder();
  const stack = await up(dataDir);
  delete process.env['STRIPE_API_KEY'];
  const env = JSON.parse(readFileSync(path.join(dataDir, 'good.env.json'), 'utf8')) as object;
  const allowed = [...Object.keys(environment.childEnv), 'COUNTERSIGN_DATA', 'COUNTERSIGN_NONCE'];
  expect(Object.keys(env).filter((name) => !allowed.includes(name))).toEqual([]);
  const values = Object.values(stack.secrets).map(String);
  for (const name of stack.names) {
    const argv = readFileSync(`/proc/${String(stack.pidOf(name))}/cmdline`, 'utf8');
    expect(values.filter((value) => argv.includes(value))).toEqual([]);
  }
});

test('a child that never starts ends the whole start, with what it said', async () => {
  const dataDir = newFolder();
  const attempt = up(dataDir, { modes: ['fails'] });
  await expect(attempt).rejects.toBeInstanceOf(UnreachableError);
  await expect(attempt).rejects.toThrow(
    /^fails does not start, exit code 2: the file sandbox\.json is damaged\. See .*fails\.log\.$/,
  );
  const { databaseUrl } = readEndpoints(dataDir);
  await expect(pingPostgres(databaseUrl)).rejects.toThrow('ECONNREFUSED');
});

test('the preparation runs once, with database and Temporal up, before the services', async () => {
  const order: string[] = [];
  const stack = await up(newFolder(), {
    prepare: async ({ ownerUrl, endpoints }) => {
      await pingPostgres(ownerUrl);
      await pingTemporal(endpoints.temporalAddress, endpoints.namespace);
      order.push('prepared');
    },
    services: () => {
      order.push('planned');
      return [{ name: 'good', file: process.execPath, args: [SERVICE, 'good'] }];
    },
  });
  expect(order).toEqual(['planned', 'prepared']);
  expect(stack.pidOf('good')).toBeDefined();
});

interface Supervisor {
  readonly pid: number;
  readonly pids: Record<string, number>;
}

async function supervisorProcess(dataDir: string, modes: readonly string[]): Promise<Supervisor> {
  const plain = JSON.stringify({ ...environment, dataDir });
  const child = spawn(process.execPath, [RUN_STACK, compiled.folder, plain, SERVICE, ...modes], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const { pids } = JSON.parse(line.toString('utf8')) as { pids: Record<string, number> };
  return { pid: Number(child.pid), pids };
}

test('a supervisor killed with -9 leaves no process behind', async () => {
  const { pid, pids } = await supervisorProcess(newFolder(), ['good']);
  expect(Object.keys(pids).sort()).toEqual(['good', 'postgres', 'temporal']);
  process.kill(pid, 'SIGKILL');
  await untilGone(Object.values(pids));
});

test('what a killed supervisor did leave is ended by the next one of its folder', async () => {
  const dataDir = newFolder();
  const { pid, pids } = await supervisorProcess(dataDir, ['good', 'stubborn']);
  const stubborn = Number(pids['stubborn']);
  process.kill(pid, 'SIGKILL');
  await untilGone([pid, Number(pids['postgres']), Number(pids['temporal']), Number(pids['good'])]);
  expect(runs(stubborn)).toBe(true);
  const lines: string[] = [];
  await up(dataDir, { modes: [], onProgress: (line) => lines.push(line) });
  expect(runs(stubborn)).toBe(false);
  expect(lines[0]).toBe('Ended what an earlier stack left running: stubborn');
});

test('a fresh start forgets everything but keeps the folder', async () => {
  const dataDir = newFolder();
  mkdirSync(dataDir, { mode: 0o700 });
  const first = await up(dataDir, { modes: [] });
  await first.stop();
  const second = await up(dataDir, { modes: [], fresh: true });
  expect(second.secrets).not.toEqual(first.secrets);
  await pingPostgres(second.ownerUrl);
});
