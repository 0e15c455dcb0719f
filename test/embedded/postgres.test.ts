import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { cacheFolder, processVariables } from '../../config/environment.js';
import { freePort } from '../../embedded/ports.js';
import {
  isPostgresAlive,
  pingPostgres,
  postgresHome,
  startPostgres,
} from '../../embedded/postgres.js';

const password = randomBytes(18).toString('base64url');
const cacheDir = cacheFolder(processVariables());
let dataDir: string;
let port: number;

beforeAll(async () => {
  dataDir = mkdtempSync(path.join(tmpdir(), 'countersign-postgres-'));
  port = await freePort();
});
afterAll(() => {
  rmSync(postgresHome(dataDir, password), { recursive: true, force: true });
  rmSync(dataDir, { recursive: true, force: true });
});

async function query(url: string, statement: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(statement)).rows;
  } finally {
    await client.end();
  }
}

test('a cluster is made once, survives kill -9 with what was committed, and starts again', async () => {
  const first = await startPostgres({ dataDir, cacheDir, port, password });
  const home = postgresHome(dataDir, password);
  const made = statSync(path.join(home, 'PG_VERSION')).mtimeMs;
  await query(first.url, 'create table kept (n int); insert into kept values (7)');
  process.kill(first.pid, 'SIGKILL');
  await first.stop();
  const second = await startPostgres({ dataDir, cacheDir, port, password });
  expect(await query(second.url, 'select n from kept')).toEqual([{ n: 7 }]);
  expect(statSync(path.join(home, 'PG_VERSION')).mtimeMs).toBe(made);
  await second.stop();
});

test('it listens on loopback only, with the password, durable, and its folder is closed', async () => {
  const server = await startPostgres({ dataDir, cacheDir, port, password });
  const show = async (name: string): Promise<unknown> =>
    Object.values((await query(server.url, `show ${name}`))[0] as object)[0];
  expect(await show('listen_addresses')).toBe('127.0.0.1');
  expect(await show('unix_socket_directories')).toBe('');
  expect(await show('fsync')).toBe('on');
  expect(await show('server_version')).toMatch(/^18\./);
  expect(new URL(server.url).pathname).toBe('/countersign');
  const home = postgresHome(dataDir, password);
  expect(statSync(home).mode & 0o777).toBe(0o700);
  expect(statSync(home).uid === 0).toBe(false);
  const guess = server.url.replace(password, 'guess');
  await expect(pingPostgres(guess)).rejects.toThrow('password authentication failed');
  // A refusal is an answer: the server lives and must not be killed for it.
  await isPostgresAlive(guess);
  await server.stop();
  await expect(isPostgresAlive(server.url)).rejects.toThrow('ECONNREFUSED');
});

test('an initdb that was cut short is done again', async () => {
  const half = mkdtempSync(path.join(tmpdir(), 'countersign-postgres-'));
  const home = postgresHome(half, password);
  mkdirSync(path.join(`${home}.new`, 'base'), { recursive: true });
  writeFileSync(`${home}.password`, 'of the one that was cut short');
  const again = await startPostgres({ dataDir: half, cacheDir, password });
  await pingPostgres(again.url);
  await again.stop();
  expect(existsSync(`${home}.password`)).toBe(false);
  // Its own only: for root all clusters of the machine lie in one folder, and another one may be on its way.
  expect(existsSync(`${home}.new`)).toBe(false);
  rmSync(home, { recursive: true });
  rmSync(half, { recursive: true });
});

test('the database never runs as root', async () => {
  const server = await startPostgres({ dataDir, cacheDir, port, password });
  const owner = statSync(`/proc/${server.pid}`).uid;
  expect(owner === 0).toBe(false);
  if (userInfo().uid !== 0) expect(owner).toBe(userInfo().uid);
  await server.stop();
});
