import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { errorCode, UsageError } from './errors.js';

const OTHERS = 0o077;

/** Reads a secret or endpoints file; `undefined` when there is none. @throws UsageError when others may read it */
export function readPrivateFile(file: string): string | undefined {
  let mode: number;
  try {
    mode = statSync(file).mode;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  if (process.platform !== 'win32' && (mode & OTHERS) !== 0) {
    throw new UsageError({
      what: `the file is open to other users (mode ${(mode & 0o777).toString(8)})`,
      where: file,
      remedy: 'Find out who may have read it, then run chmod 600 on it or delete it',
    });
  }
  return readFileSync(file, 'utf8');
}

/** Writes a 0600 file whole or not at all, over whatever was there. */
export function writePrivateFile(file: string, content: string): void {
  const aside = writeAside(file, content);
  renameSync(aside, file);
}

/** Writes a 0600 file only if there is none; of two processes at once, one creates it and both go on with it. */
export function createPrivateFile(file: string, content: string): void {
  const aside = writeAside(file, content);
  try {
    // A link fails if the name is taken, where a rename would replace the other's file.
    linkSync(aside, file);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function writeAside(file: string, content: string): string {
  const aside = `${file}.${randomBytes(6).toString('hex')}`;
  const handle = openSync(aside, 'wx', 0o600);
  try {
    writeSync(handle, content);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  return aside;
}

/** What such a file holds; `undefined`, which no schema takes, where it is no JSON. */
export function parsedJson(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return undefined;
  }
}
