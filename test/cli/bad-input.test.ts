import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ROOT } from '../helpers/build.js';
import { tables } from '../helpers/dump.js';
import { openTestStage, type TestStage } from '../helpers/stage.js';
import { CALL_ROWS } from './bad-calls.js';
import { ground, request, standOn, type Row } from './bad-ground.js';
import { REQUEST_ROWS } from './bad-requests.js';
import { callCli } from './run-in-process.js';

const ROWS = { ...REQUEST_ROWS, ...CALL_ROWS };
let stage: TestStage;

/** A row that no filter lets through to a whole stack would leave something here. */
interface Left {
  /** Such as could change something: reads go out by the clock of the workers, whoever calls. */
  readonly requests: number;
  readonly living: number;
  readonly charges: number;
  readonly unknownRoutes: number;
  /** Every row of every table, by the table's name, but for what the workers write by the clock. */
  readonly tables: Readonly<Record<string, string>>;
}

const BY_THE_CLOCK = new Set(['credential_states', 'reconcile_areas', 'reconcile_passes']);
const standing = ([name, rows]: [string, string]): [string, string] => [
  name,
  name === 'instance' ? rows.replace(/"swept_at": "[^"]*"/, '') : rows,
];

async function left(): Promise<Left> {
  const { counts, requests } = await stage.truth();
  const written = [...(await tables(stage.db))].filter(([name]) => !BY_THE_CLOCK.has(name));
  return {
    requests: requests.filter(({ method }) => method !== 'GET').length,
    living: counts['living'] ?? -1,
    charges: counts['charges'] ?? -1,
    unknownRoutes: counts['unknownRoutes'] ?? -1,
    tables: Object.fromEntries(written.map(standing)),
  };
}

/** The real stack stands behind every row: its people, its policy and its service key would let a good request in. */
beforeAll(async () => {
  stage = await openTestStage();
  await standOn(stage.context.config.dataDir);
}, 400_000);

afterAll(async () => {
  await ground.leave();
  await stage.close();
});

/** One message on stderr, naming what is wrong and what mends it; no stack line, no secret, nothing on stdout. */
function expectOneMessage(row: Row, outcome: { exitCode: number; out: string; err: string }): void {
  const { exitCode, out, err } = outcome;
  expect(err).toMatch(/^countersign: [^\n]+\n$/);
  for (const said of row.says) expect(err).toMatch(said);
  expect(exitCode).toBe(row.exitCode);
  expect(out).toBe('');
  expect(err).not.toMatch(/\n\s+at |node:internal|unexpected fault|hunter2|\u001b/);
}

/** Rows that a process of its own shows best; the others run in this one. */
const AS_PROCESS = new Set([
  'an unknown member',
  'a budget without cents and currency',
  'a domain in Cyrillic look-alikes',
  'a link in the site',
  'a Worker with a syntax error',
  'a run id in capitals',
  'a role that does not exist',
  'an unknown verb',
  'an approval without a terminal',
  'live providers by configuration alone',
  'no stack at all',
  'a Temporal that refuses connections',
  'a database that refuses connections',
  'a database without a policy',
]);

describe('bad input ends with one message and leaves nothing behind', () => {
  test.each(Object.entries(ROWS))('%s', async (name, row) => {
    const before = await left();
    const args = row.args();
    const variables = { ...ground.variables, ...row.variables?.() };
    const outcome = AS_PROCESS.has(name)
      ? await callProcess(args, variables)
      : await callCli(args, { variables, cwd: ground.folder });
    expectOneMessage(row, outcome);
    expect(await left()).toEqual(before);
  });

  test('there are more than forty rows, ten of them as processes', () => {
    expect(Object.keys(ROWS).length).toBeGreaterThan(40);
    expect([...AS_PROCESS].every((name) => name in ROWS)).toBe(true);
    expect(AS_PROCESS.size).toBeGreaterThanOrEqual(10);
  });
});

test('the same request without its fault is let in, so each row could have been', async () => {
  const before = await left();
  const outcome = await callCli([...request({}), '--run-id', 'good'], {
    variables: ground.variables,
    cwd: ground.folder,
  });
  expect(outcome).toMatchObject({ exitCode: 0, out: expect.stringContaining('Started good') });
  await stage.until(stage.client.run('good'), ({ openGate }) => openGate !== undefined);
  const after = await left();
  expect(after.requests).toBeGreaterThan(before.requests);
  const changed = Object.keys(after.tables).filter(
    (name) => after.tables[name] !== before.tables[name],
  );
  expect(changed).toEqual(expect.arrayContaining(['bundle_files', 'gates', 'plans', 'runs']));
  expect((await stage.client.list()).map(({ runId }) => runId)).toEqual(['good']);
});

test('a stop of a run that nobody knows fences it all the same, and says that none is open', async () => {
  const { exitCode, err } = await callCli(['stop', '--run', 'no-such-run', '--reason', 'x'], {
    variables: ground.variables,
    cwd: ground.folder,
  });
  expect(exitCode).toBe(0);
  expect(err).toContain('fenced run/no-such-run');
  expect(err).toMatch(/no such run is open: .* countersign runs/);
});

test('with --json the failure is one JSON document on stdout, and the message still on stderr', async () => {
  const { out, err, exitCode } = await callCli(['runs', '--phase', 'x', '--json'], {
    variables: ground.variables,
    cwd: ground.folder,
  });
  expect(exitCode).toBe(2);
  expect(JSON.parse(out)).toMatchObject({ error: { code: 'USAGE', exitCode: 2 } });
  expect(err).toContain('--phase "x"');
});

async function callProcess(
  args: readonly string[],
  variables: Record<string, string>,
): Promise<{ exitCode: number; out: string; err: string }> {
  const main = path.join(ROOT, 'dist/cli/main.js');
  try {
    const { stdout, stderr } = await promisify(execFile)(
      'setsid',
      ['--wait', process.execPath, main, ...args],
      { cwd: ground.folder, env: { PATH: process.env['PATH'] ?? '', ...variables } },
    );
    return { exitCode: 0, out: stdout, err: stderr };
  } catch (error) {
    const failed = error as { code: number; stdout: string; stderr: string };
    return { exitCode: failed.code, out: failed.stdout, err: failed.stderr };
  }
}
