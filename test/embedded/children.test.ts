import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { BoundedLog } from '../../embedded/bounded-log.js';
import { spawnGroup } from '../../embedded/process-group.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-children-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

test('a log that is full makes room and keeps the file before it', () => {
  const file = path.join(folder, 'worker.log');
  const first = new BoundedLog(file, 10);
  for (const words of ['12345', '67890', 'abc', 'defghij', 'last']) first.write(Buffer.from(words));
  first.close();
  first.write(Buffer.from('too late'));
  expect([readFileSync(file, 'utf8'), readFileSync(`${file}.1`, 'utf8')]).toEqual([
    'last',
    'abcdefghij',
  ]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  // The next start goes on counting where the one before it stopped.
  const second = new BoundedLog(file, 10);
  second.write(Buffer.from('7 bytes'));
  second.close();
  expect([readFileSync(file, 'utf8'), readFileSync(`${file}.1`, 'utf8')]).toEqual([
    '7 bytes',
    'last',
  ]);
});

test.each([[false], [true]])(
  'no child leaves its memory in a core dump (dieWithParent: %p)',
  async (dieWithParent) => {
    const group = spawnGroup({
      file: '/bin/sh',
      args: ['-c', 'ulimit -Sc; ulimit -Hc'],
      env: {},
      cwd: folder,
      dieWithParent,
    });
    const said = await text(group.stdout);
    await group.exit;
    expect(said).toBe('0\n0\n');
  },
);
