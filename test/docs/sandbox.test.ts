import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { transform } from '@swc/core';
import { CHOICES } from '../../sandbox/cloudflare/choices.js';
import { EXTENSIONS } from '../../sandbox/cloudflare/extensions.js';
import { people as cloudflarePeople } from '../../sandbox/cloudflare/people.js';
import { FAULT_KINDS } from '../../sandbox/core/faults.js';
import { STRIPE_CHOICES } from '../../sandbox/stripe/choices.js';
import { stripePeople } from '../../sandbox/stripe/people.js';
import { compileFolders } from '../../scripts/compile-folders.mjs';
import { ensureBuilt } from '../helpers/build.js';

const root = resolve(import.meta.dirname, '../..');
const guide = readFileSync(join(root, 'docs/sandbox.md'), 'utf8');
const run = promisify(execFile);
const blocks = (language: string): string[] =>
  [...guide.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    ([, body]) => body ?? '',
  );
const inFolder = async (use: (folder: string) => Promise<void>): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-guide-'));
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};
const page = readFileSync(join(root, 'docs/sandbox-musts.md'), 'utf8');

interface Must {
  readonly number: string;
  readonly must: string;
  readonly shown: string;
}
const musts: Must[] = [...page.matchAll(/^\| ([SC][0-9.]+) \| (.+?) \| (.+) \|$/gm)].map(
  ([, number = '', must = '', shown = '']) => ({ number, must, shown }),
);

/** How many musts each part has, as the pages about the providers count them: a row that is lost is missed. */
const STRIPE = 40;
const CLOUDFLARE: readonly number[] = [14, 3, 6, 2, 15, 4, 4, 2, 11, 5, 5, 1, 6];

test('no number of the musts of a stand-in is missing, doubled or out of its place', () => {
  const wanted = [
    ...Array.from({ length: STRIPE }, (_, index) => `S${index + 1}`),
    ...CLOUDFLARE.flatMap((count, part) =>
      Array.from({ length: count }, (_, index) => `C${part}.${index + 1}`),
    ),
  ];
  expect(musts.map(({ number }) => number)).toEqual(wanted);
  expect(page.match(/^\| [SC]/gm)).toHaveLength(wanted.length);
});

test('each must of a stand-in names tests that exist, by their whole titles, or a reason', () => {
  const wrong = musts.flatMap(({ number, shown }) => {
    if (/^not needed: .{10,}/.test(shown)) return [];
    return shown.split('<br>').flatMap((named) => {
      const [, name = '', title = ''] = /^`([a-z]+\/[a-z-]+)`: (.+)$/.exec(named) ?? [];
      const file = join(root, 'test/sandbox', `${name}.test.ts`);
      if (title === '' || !existsSync(file)) return [`${number}: ${named}`];
      // The title ends a test's first argument: nothing but its quote may follow.
      return readFileSync(file, 'utf8').includes(`'${title}',`) ? [] : [`${number}: ${named}`];
    });
  });
  expect(wrong).toEqual([]);
});

test('the snippet of the guide is the example, and prints what it promises', async () => {
  const example = readFileSync(join(root, 'examples/sandbox.ts'), 'utf8');
  expect(blocks('ts')).toHaveLength(1);
  expect(example).toContain(blocks('ts')[0]?.trim());
  const compiled = await compileFolders(['sandbox']);
  const { code } = await transform(example, {
    swcrc: false,
    jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
    module: { type: 'es6' },
  });
  mkdirSync(join(compiled.folder, 'examples'));
  writeFileSync(join(compiled.folder, 'examples/sandbox.js'), code);
  try {
    await inFolder(async (cwd) => {
      const program = join(compiled.folder, 'examples/sandbox.js');
      const { stdout } = await run(process.execPath, [program], { cwd });
      expect(stdout).toBe('the answer was lost\nthe same key brings Acme\nreally made: 1\n');
    });
  } finally {
    compiled.remove();
  }
}, 200_000);

test('the lines of the guide start a sandbox and say that it answers', async () => {
  const main = join(await ensureBuilt(), 'cli/main.js');
  const lines = blocks('sh').flatMap((block) => block.trim().split('\n'));
  expect(lines).toHaveLength(2);
  await inFolder(async (folder) => {
    const args = lines.map((line) => {
      const words = line.split(' ');
      expect(words.slice(0, 5)).toEqual(['npm', 'run', '-s', 'countersign', '--']);
      // The reader's port may be taken here.
      return words.slice(5).map((word) => (word === '4010' ? '0' : word));
    });
    const options = { cwd: folder, env: { PATH: process.env['PATH'] ?? '', HOME: folder } };
    const sandbox = spawn(process.execPath, [main, ...(args[0] ?? [])], {
      ...options,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    try {
      const [said] = (await once(createInterface({ input: sandbox.stderr }), 'line')) as [string];
      expect(said).toContain('sandbox: providers http://127.0.0.1:');
      const { stdout } = await run(process.execPath, [main, ...(args[1] ?? [])], options);
      expect(stdout).toBe('the sandbox answers\n');
    } finally {
      const gone = once(sandbox, 'exit');
      sandbox.kill('SIGTERM');
      await gone;
    }
  });
}, 400_000);

test('the guide names each fault, each doing of a person, each choice and each price', () => {
  const faults = [...guide.matchAll(/^\| (`[a-z0-9-]+`(?:, `[a-z0-9-]+`)*) \| /gm)]
    .flatMap(([, cell = '']) => cell.split(', ').map((name) => name.slice(1, -1)))
    .filter((name) => name !== 'truth');
  expect([...new Set(faults)].sort()).toEqual([...FAULT_KINDS].sort());
  const doings = [...guide.matchAll(/^People: ([\s\S]*?)\n\n/gm)].map(([, text = '']) => text);
  expect(doings).toHaveLength(2);
  for (const [index, known] of [stripePeople, cloudflarePeople].entries())
    for (const name of Object.keys(known)) expect(doings[index]).toContain(`\`${name}\``);
  const choices = /^Choices, the first value being the default: ([\s\S]*?)\n\n/m.exec(guide)?.[1];
  for (const [name, values] of Object.entries(STRIPE_CHOICES))
    expect(choices?.replaceAll('\n', ' ')).toContain(`\`${name}\` (${values.join(', ')})`);
  for (const { tld, price } of EXTENSIONS)
    expect(guide).toContain(`.${tld} ${(price.registrationMinor / 100).toFixed(2)}`);
  const named = [...guide.matchAll(/`((?:registrar|accounts|rate|edge|lists)\.[a-z-]+)`/g)];
  expect(named.map(([, name = '']) => name).filter((name) => !(name in CHOICES))).toEqual([]);
});
