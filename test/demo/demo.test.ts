import { spawn } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { ensureBuilt, ROOT } from '../helpers/build.js';

interface Ran {
  readonly code: number | null;
  readonly out: string;
}

function demo(root: string, args: readonly string[]): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(root, 'dist/cli/main.js'), 'demo', ...args], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    child.stdout.on('data', (part: Buffer) => (out += part.toString()));
    child.stderr.on('data', (part: Buffer) => (out += part.toString()));
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ code, out });
    });
  });
}

beforeAll(ensureBuilt, 300_000);

test('the demo ends 0, each of its nine stories as told by the world itself', async () => {
  const { code, out } = await demo(ROOT, []);
  expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining('All 9 stories') });
  for (const letter of 'abcdefghi') expect(out).toContain(`(${letter}) `);
  expect(out).not.toContain('NOT AS TOLD');
}, 600_000);

test('with one reversal taken out the demo ends 1 and says what is left', async () => {
  // A copy of the compiled product in which the subscription's reversal does nothing and says it did.
  const copy = mkdtempSync(path.join(tmpdir(), 'countersign-demo-copy-'));
  try {
    cpSync(path.join(ROOT, 'dist'), path.join(copy, 'dist'), { recursive: true });
    cpSync(path.join(ROOT, 'examples'), path.join(copy, 'examples'), { recursive: true });
    cpSync(path.join(ROOT, 'package.json'), path.join(copy, 'package.json'));
    symlinkSync(path.join(ROOT, 'node_modules'), path.join(copy, 'node_modules'));
    mkdirSync(path.join(copy, 'node_modules'), { recursive: true });
    const file = path.join(copy, 'dist/activities/step-effects.js');
    const source = readFileSync(file, 'utf8');
    const broken = source.replace(
      'effectPair(startSubscription, cancelSubscription,',
      `effectPair(startSubscription, { ...cancelSubscription, reverse: async () => {}, readBack: async () => ({ done: true, refundedMinor: 0, residue: { minor: 0, text: '' } }) },`,
    );
    expect(broken).not.toBe(source);
    writeFileSync(file, broken);
    const { code, out } = await demo(copy, ['--story', 'e']);
    expect({ code, out }).toMatchObject({ code: 1, out: expect.stringContaining('NOT AS TOLD') });
    expect(out).toContain('[[1900,1900]]');
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}, 300_000);
