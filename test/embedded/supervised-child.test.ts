import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { EventEmitter } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { PidFile } from '../../embedded/leftovers.js';
import {
  restartDelay,
  SupervisedChild,
  type ChildEvent,
  type ChildEvents,
  type ChildPlan,
} from '../../embedded/supervised-child.js';

const SERVICE = fileURLToPath(new URL('./fixtures/service.mjs', import.meta.url));

let folder: string;
let seen: ChildEvent[];
const children: SupervisedChild[] = [];
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-child-'));
  seen = [];
});
afterEach(async () => {
  for (const child of children.splice(0)) await child.stop();
  rmSync(folder, { recursive: true, force: true });
});

function supervise(mode: string, changes: Partial<ChildPlan> = {}): SupervisedChild {
  const events: ChildEvents = new EventEmitter();
  events.on('child', (event) => seen.push(event));
  const plan: ChildPlan = {
    name: mode,
    command: (nonce) => ({
      file: process.execPath,
      args: [SERVICE, mode],
      env: { COUNTERSIGN_DATA: folder, COUNTERSIGN_NONCE: nonce },
      cwd: folder,
    }),
    ready: ({ announced }) => announced,
    stopSignal: 'SIGTERM',
    graceMs: 2_000,
    logFile: path.join(folder, `${mode}.log`),
    ...changes,
  };
  const child = new SupervisedChild(plan, new PidFile(folder), events);
  children.push(child);
  return child;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(10);
}

test.each([
  [0, 60_000, 50],
  [0, 100, 200],
  [50, 100, 200],
  [200, 100, 400],
  [400, 9_999, 800],
  [3_200, 0, 5_000],
  [5_000, 0, 5_000],
  [5_000, 10_000, 50],
])(
  'after a pause of %d ms and a life of %d ms the next pause is %d ms',
  (previous, lived, next) => {
    expect(restartDelay(previous, lived)).toBe(next);
  },
);

test('an announcement with the nonce of another start does not count as ready', async () => {
  const log = path.join(folder, 'stale-nonce.log');
  void supervise('stale-nonce').start();
  // The log is written after the line was looked at.
  await until(() => existsSync(log) && readFileSync(log, 'utf8').includes('ready'));
  expect(seen.map(({ kind }) => kind)).toEqual(['started']);
});

test('an answer that arrives when the child is already gone does not count as ready', async () => {
  let answer: (() => void) | undefined;
  const child = supervise('good', {
    ready: () => new Promise((resolve) => (answer = resolve)),
  });
  void child.start();
  await until(() => answer !== undefined && child.pid !== undefined);
  const first = answer;
  child.kill('SIGKILL');
  await until(() => seen.some(({ kind }) => kind === 'exited'));
  first?.();
  await until(() => seen.filter(({ kind }) => kind === 'started').length === 2);
  expect(seen.some(({ kind }) => kind === 'ready')).toBe(false);
});

test('a child that stops answering its probe is killed and started again; nine misses are forgiven', async () => {
  const answers = [
    true,
    ...new Array<boolean>(9).fill(false),
    true,
    ...new Array<boolean>(10).fill(false),
  ];
  let asked = 0;
  const child = supervise('good', {
    probe: () => {
      asked += 1;
      return (answers[asked - 1] ?? true) ? Promise.resolve() : Promise.reject(new Error('silent'));
    },
  });
  await child.start();
  const before = child.pid;
  await until(() => seen.filter(({ kind }) => kind === 'ready').length === 2);
  expect(seen.map(({ kind }) => kind)).toEqual([
    'started',
    'ready',
    'unresponsive',
    'exited',
    'started',
    'ready',
  ]);
  expect(asked).toBeGreaterThanOrEqual(answers.length);
  expect(child.pid).not.toBe(before);
});

test('stop ends a child that ignores its signal, after the grace time, and starts nothing again', async () => {
  const child = supervise('good', { stopSignal: 'SIGCONT', graceMs: 100 });
  await child.start();
  await child.stop();
  expect(child.pid).toBeUndefined();
  expect(seen.map(({ kind }) => kind)).toEqual(['started', 'ready']);
});
