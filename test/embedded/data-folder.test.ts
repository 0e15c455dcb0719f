import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { UsageError } from '../../config/errors.js';
import { writePrivateFile } from '../../config/private-files.js';
import { lockDataFolder, prepareDataFolder } from '../../embedded/data-folder.js';
import { PidFile } from '../../embedded/leftovers.js';
import { stackPorts } from '../../embedded/stack-ports.js';

let folder: string;
let dataDir: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-folder-'));
  dataDir = path.join(folder, 'a/b');
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

test('the folder is made with its parents, 0700, and closed when it was open for reading', () => {
  prepareDataFolder(dataDir);
  expect(statSync(dataDir).mode & 0o777).toBe(0o700);
  chmodSync(dataDir, 0o755);
  prepareDataFolder(dataDir);
  expect(statSync(dataDir).mode & 0o777).toBe(0o700);
});

test.each([0o770, 0o702, 0o777])(
  'a folder that others may write to is refused (mode %i)',
  (mode) => {
    mkdirSync(dataDir, { recursive: true });
    chmodSync(dataDir, mode);
    expect(() => {
      prepareDataFolder(dataDir);
    }).toThrow(UsageError);
    expect(statSync(dataDir).mode & 0o777).toBe(mode);
  },
);

test('a link in the place of the folder is refused as one, so is a file', () => {
  mkdirSync(path.join(folder, 'elsewhere'), { mode: 0o700 });
  symlinkSync(path.join(folder, 'elsewhere'), path.join(folder, 'link'));
  writeFileSync(path.join(folder, 'file'), '');
  expect(() => {
    prepareDataFolder(path.join(folder, 'link'));
  }).toThrow('the data folder is a link or a file');
  expect(() => {
    prepareDataFolder(path.join(folder, 'file'));
  }).toThrow(UsageError);
});

test('a folder of another user is refused, or for an ordinary user the system folder is', () => {
  const foreign = userInfo().uid === 0 ? dataDir : '/usr';
  if (foreign === dataDir) {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    chownSync(dataDir, 12_345, 12_345);
  }
  expect(() => {
    prepareDataFolder(foreign);
  }).toThrow(`${foreign}: the data folder belongs to another user`);
});

test('the lock is taken once, given back, and belongs to one folder', async () => {
  const lock = await lockDataFolder(dataDir);
  await expect(lockDataFolder(path.join(dataDir, '../b'))).rejects.toThrow('already running');
  const other = await lockDataFolder(path.join(folder, 'other'));
  await lock.release();
  const again = await lockDataFolder(dataDir);
  await again.release();
  await other.release();
});

test('ports are kept over restarts; one that somebody has taken is replaced, the others stay', async () => {
  prepareDataFolder(dataDir);
  const first = await stackPorts(dataDir);
  expect(new Set(Object.values(first)).size).toBe(Object.keys(first).length);
  expect(await stackPorts(dataDir)).toEqual(first);
  const squatter = createServer();
  await new Promise<void>((resolve) => squatter.listen(first.postgres, '127.0.0.1', resolve));
  const second = await stackPorts(dataDir);
  expect(second.postgres).not.toBe(first.postgres);
  expect({ ...second, postgres: 0 }).toEqual({ ...first, postgres: 0 });
  squatter.close();
});

test('a process that only has the number of an earlier child is left alone', async () => {
  prepareDataFolder(dataDir);
  const stranger = spawn('/bin/sleep', ['1000'], { detached: true, stdio: 'ignore' });
  const record = { name: 'temporal', pid: stranger.pid, startMark: 'an-earlier-boot/12345' };
  writePrivateFile(path.join(dataDir, 'children.json'), JSON.stringify([record]));
  expect(await new PidFile(dataDir).endLeftovers()).toEqual([]);
  expect(stranger.exitCode).toBeNull();
  expect(stranger.signalCode).toBeNull();
  stranger.kill('SIGKILL');
  await once(stranger, 'exit');
});
