import { closeSync, constants, fstatSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { FileRefused } from './errors.js';

const MAX_BYTES = 65_536;

/** Writes a new file of mode 0600; never over an existing one, never through a link. @throws FileRefused */
export function createPrivateFile(file: string, text: string): void {
  let fd: number;
  try {
    fd = openSync(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  } catch (error) {
    const taken = codeOf(error) === 'EEXIST';
    throw new FileRefused(
      file,
      taken ? 'it exists already' : `it cannot be written (${codeOf(error)})`,
      taken ? 'Name a new file; nothing was overwritten' : 'Name a file in a folder of yours',
    );
  }
  try {
    writeFileSync(fd, text);
  } finally {
    closeSync(fd);
  }
}

/** Reads a file that holds a secret: regular, ours, closed to everybody else. @throws FileRefused */
export function readPrivateFile(file: string, what: string): string {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const missing = codeOf(error) === 'ENOENT';
    throw new FileRefused(
      file,
      missing ? `there is no such file` : `it cannot be opened as ${what} (${codeOf(error)})`,
      missing ? `Name ${what} that exists` : 'Name a regular file of yours, not a link',
    );
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > MAX_BYTES)
      throw new FileRefused(file, `it is not ${what}`, 'Name a small regular file');
    if ((stat.mode & 0o077) !== 0)
      throw new FileRefused(
        file,
        `others may read it (mode ${(stat.mode & 0o777).toString(8).padStart(4, '0')})`,
        `Close it with: chmod 600 ${file}`,
      );
    const { uid } = userInfo();
    if (uid >= 0 && stat.uid !== uid)
      throw new FileRefused(file, 'it belongs to another user', 'Use a file of your own');
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error
    ? String(error.code)
    : 'unknown';
}
