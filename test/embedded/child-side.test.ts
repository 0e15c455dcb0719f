import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { compileFolders, type Compiled } from '../../scripts/compile-folders.mjs';

let compiled: Compiled;
beforeAll(async () => {
  compiled = await compileFolders(['config', 'embedded']);
});
afterAll(() => {
  compiled.remove();
});

type Child = ChildProcessByStdio<Writable, Readable, null>;

function run(body: string, env: Record<string, string>): Child {
  const module = path.join(compiled.folder, 'embedded/child-side.js');
  const script = `import { reportReady, leaveWithSupervisor } from '${module}'; ${body}`;
  return spawn(process.execPath, ['--input-type=module', '-e', script], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
}

test('a child announces the nonce of its start, and leaves in order when its stdin closes', async () => {
  const child = run(
    `leaveWithSupervisor(async () => { process.stdout.write('left'); }); reportReady();
     setInterval(() => undefined, 1000);`,
    { COUNTERSIGN_NONCE: 'abc' },
  );
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  expect(JSON.parse(line.toString())).toEqual({ ready: 'abc' });
  child.stdin.end();
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  expect(said.toString()).toBe('left');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('a child whose leaving never ends is gone all the same', async () => {
  const child = run(
    `leaveWithSupervisor(() => new Promise(() => undefined)); reportReady();
     setInterval(() => undefined, 1000);`,
    { COUNTERSIGN_NONCE: 'abc' },
  );
  await once(child.stdout, 'data');
  child.stdin.end();
  expect(await once(child, 'exit')).toEqual([1, null]);
});

test('started by a person, it says nothing on stdout and ignores the end of stdin', async () => {
  const child = run(
    `leaveWithSupervisor(async () => undefined); reportReady();
     process.stdin.on('end', () => process.stdout.write('still here', () => process.exit(7))).resume();`,
    {},
  );
  child.stdin.end();
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  expect(said.toString()).toBe('still here');
  expect(await once(child, 'exit')).toEqual([7, null]);
});
