import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { loadKeyFile } from '../../client/keys.js';
import { compileFolders, type Compiled } from '../../scripts/compile-folders.mjs';

const PASSPHRASE = 'tide and barnacle 7';
let folder: string;
let compiled: Compiled;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-pty-'));
  compiled = await compileFolders([
    'domain',
    'store',
    'gateway',
    'workflows',
    'activities',
    'workers',
    'client',
    'cli',
    'sandbox',
    'embedded',
    'config',
  ]);
});

afterAll(() => {
  compiled.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the command line on a real pseudo-terminal and types each answer when a question has been asked. */
function onTerminal(
  args: readonly string[],
  answers: readonly string[],
): Promise<{ readonly exitCode: number | null; readonly screen: string }> {
  const main = path.join(compiled.folder, 'cli/main.js');
  const command = [process.execPath, main, ...args].map((part) => `'${part}'`).join(' ');
  const child = spawn('script', ['-qefc', command, '/dev/null'], {
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '', HOME: folder, TERM: 'dumb' },
  });
  const left = [...answers];
  let screen = '';
  let read = 0;
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (exitCode) => {
      resolve({ exitCode, screen });
    });
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      screen += chunk;
      if (!/: $/.test(screen.slice(read))) return;
      read = screen.length;
      const answer = left.shift();
      if (answer !== undefined) child.stdin.write(`${answer}\r`);
    });
  });
}

test('a passphrase is typed twice on a real terminal and never shown', async () => {
  const { exitCode, screen } = await onTerminal(
    ['keys', 'new', 'ada.json'],
    [PASSPHRASE, PASSPHRASE],
  );
  expect({ exitCode, screen }).toMatchObject({ exitCode: 0 });
  expect(screen).toContain('Passphrase for the new key: ');
  expect(screen).not.toContain('barnacle');
  const file = path.join(folder, 'ada.json');
  expect(readFileSync(file, 'utf8')).not.toContain('barnacle');
  await expect(loadKeyFile(file, PASSPHRASE)).resolves.toMatchObject({ keyId: expect.any(String) });
});

test('two different passphrases write nothing', async () => {
  const { exitCode, screen } = await onTerminal(
    ['keys', 'new', 'differ.json'],
    [PASSPHRASE, `${PASSPHRASE}!`],
  );
  expect(exitCode).toBe(2);
  expect(screen).toContain('the two passphrases differ');
  expect(() => readFileSync(path.join(folder, 'differ.json'))).toThrow();
});

test('Ctrl-C at the question breaks off and writes nothing', async () => {
  const { exitCode, screen } = await onTerminal(['keys', 'new', 'never.json'], ['\u0003']);
  expect(exitCode).toBe(1);
  expect(screen).toMatch(/nothing was signed or changed|interrupted/);
  expect(() => readFileSync(path.join(folder, 'never.json'))).toThrow();
});

test('a mistyped letter can be taken back', async () => {
  const { exitCode } = await onTerminal(
    ['keys', 'new', 'back.json'],
    [`${PASSPHRASE}x\u007f`, PASSPHRASE],
  );
  expect(exitCode).toBe(0);
});
