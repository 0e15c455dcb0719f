import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { errorCode, reasonOf, UsageError } from '../config/errors.js';
import { readPrivateFile } from '../config/private-files.js';
import { secretFile } from '../config/secrets.js';
import { postgresHome } from './postgres.js';

const WRITABLE_BY_OTHERS = 0o022;

/** Makes the data folder, 0700. @throws UsageError when it belongs to somebody else or others may write to it */
export function prepareDataFolder(dataDir: string): void {
  const refuse = (what: string, remedy: string): UsageError =>
    new UsageError({ what, where: dataDir, remedy });
  const elsewhere = 'Choose another folder with --data or COUNTERSIGN_DATA';
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw refuse(`the data folder can't be made (${reasonOf(error)})`, elsewhere);
  }
  const { uid, mode, ...kind } = entryAt(dataDir);
  if (!kind.isFolder) throw refuse('the data folder is a link or a file', elsewhere);
  if (uid !== userInfo().uid) {
    throw refuse('the data folder belongs to another user', elsewhere);
  }
  if ((mode & WRITABLE_BY_OTHERS) !== 0) {
    throw refuse(
      `other users may write to the data folder (mode ${(mode & 0o777).toString(8)})`,
      'Make sure that nobody has put anything there, then run chmod 700 on it',
    );
  }
  chmodSync(dataDir, 0o700);
}

function entryAt(dataDir: string): { uid: number; mode: number; isFolder: boolean } {
  const entry = lstatSync(dataDir);
  return { uid: entry.uid, mode: entry.mode, isFolder: entry.isDirectory() };
}

/** Empties a data folder, its database included. Nobody may be using it. */
export function emptyDataFolder(dataDir: string): void {
  const password = readPrivateFile(secretFile(dataDir, 'databasePassword'))?.trim();
  if (password !== undefined) {
    rmSync(postgresHome(dataDir, password), { recursive: true, force: true });
  }
  for (const name of readdirSync(dataDir)) {
    rmSync(path.join(dataDir, name), { recursive: true, force: true });
  }
}

/** Deletes a data folder and its database, for stacks that are thrown away. */
export function removeDataFolder(dataDir: string): void {
  try {
    emptyDataFolder(dataDir);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
  rmSync(dataDir, { recursive: true, force: true });
}

/**
 * Takes the folder for this process until `release` or its end, however it ends. A listening socket is the
 * lock: the system gives it back by itself. @throws UsageError when another process holds it
 */
export async function lockDataFolder(dataDir: string): Promise<{ release(): Promise<void> }> {
  const name = lockName(dataDir);
  if (process.platform !== 'linux' && !(await answers(name))) rmSync(name, { force: true });
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(errorCode(error) === 'EADDRINUSE' ? inUse(dataDir) : error);
    });
    server.listen(name, resolve);
  });
  server.unref();
  return { release: () => closed(server) };
}

function inUse(dataDir: string): UsageError {
  return new UsageError({
    what: 'a stack is already running on this data folder',
    where: dataDir,
    remedy: 'Use the running one, stop it first, or give this one another folder with --data',
  });
}

/** In Linux's abstract name space, where a dead holder leaves nothing behind; elsewhere a file. */
function lockName(dataDir: string): string {
  const id = createHash('sha256').update(path.resolve(dataDir)).digest('hex').slice(0, 24);
  const name = `countersign-${userInfo().uid}-${id}`;
  return process.platform === 'linux' ? `\0${name}` : path.join(tmpdir(), `${name}.lock`);
}

function answers(name: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(name);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
  });
}
