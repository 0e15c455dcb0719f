import { readdirSync, readFileSync, writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { ROOT } from '../helpers/build.js';
import { callCli } from '../cli/run-in-process.js';

const FOLDER = path.join(ROOT, 'examples/policies');
const examples = readdirSync(FOLDER).filter((name) => name.endsWith('.policy.yaml'));
const scratch = mkdtempSync(path.join(tmpdir(), 'countersign-examples-'));

afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

const check = (file: string): ReturnType<typeof callCli> =>
  callCli(['policy', 'check', file, '--json'], { cwd: scratch });

interface Checked {
  readonly findings: readonly { readonly path: string; readonly text: string }[];
  readonly tests: {
    readonly passed: number;
    readonly failed: readonly { readonly name: string; readonly wrong: readonly string[] }[];
  };
}

test('there are three', () => {
  expect(examples).toEqual([
    'enterprise.policy.yaml',
    'one-person.policy.yaml',
    'startup.policy.yaml',
  ]);
});

describe.each(examples)('%s', (name) => {
  test('is valid, and its table comes out as it says', async () => {
    const { exitCode, out, err } = await check(path.join(FOLDER, name));
    expect(err).toBe('');
    const { tests } = JSON.parse(out) as Checked;
    expect(tests.failed).toEqual([]);
    expect(tests.passed).toBeGreaterThanOrEqual(10);
    expect(exitCode).toBe(0);
  });

  test('leaves nothing to remark but what it means', async () => {
    const { findings } = JSON.parse((await check(path.join(FOLDER, name))).out) as Checked;
    const meant: Record<string, string[]> = {
      'startup.policy.yaml': ['bundleIrreversible'],
    };
    expect(findings.map((one) => one.path)).toEqual(meant[name] ?? []);
  });

  test('a table that expects otherwise fails, with exit code 1, and says what was found', async () => {
    const policy = readFileSync(path.join(FOLDER, name), 'utf8');
    const table = readFileSync(path.join(FOLDER, name.replace('.yaml', '.tests.yaml')), 'utf8');
    writeFileSync(path.join(scratch, name), policy);
    writeFileSync(
      path.join(scratch, name.replace('.yaml', '.tests.yaml')),
      table
        .replaceAll('verdict: allowed', 'verdict: X')
        .replaceAll('verdict: denied', 'verdict: allowed')
        .replaceAll('verdict: X', 'verdict: denied'),
    );
    const { exitCode, out } = await check(name);
    const { tests } = JSON.parse(out) as Checked;
    expect(tests.passed).toBe(0);
    expect(tests.failed[0]?.wrong[0]).toMatch(/^verdict: expected \w+, found (allowed|denied by)/);
    expect(exitCode).toBe(1);
  });
});

test('a table with a word that it does not know is refused with line and column', async () => {
  writeFileSync(
    path.join(scratch, 'a.policy.yaml'),
    readFileSync(path.join(FOLDER, examples[0] ?? '')),
  );
  writeFileSync(
    path.join(scratch, 'a.policy.tests.yaml'),
    'cases:\n  - name: x\n    request: { domain: a.com }\n    expects: {}\n',
  );
  const { exitCode, err } = await check('a.policy.yaml');
  expect(exitCode).toBe(2);
  expect(err).toMatch(/a\.policy\.tests\.yaml:4:5: cases\[0\]: unknown member "expects"/);
});
