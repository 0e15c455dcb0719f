import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { removeDataFolder } from '../../embedded/data-folder.js';
import { callCli, type Outcome } from '../cli/run-in-process.js';
import { ensureBuilt, ROOT } from '../helpers/build.js';

const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
const blocks = (language: string, text = readme): string[] =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    ([, body]) => body ?? '',
  );
const between = (name: string): string =>
  readme.split(`<!-- ${name}:begin -->`)[1]?.split(`<!-- ${name}:end -->`)[0] ?? '';

test('every npm script that the README names exists', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const named = [...readme.matchAll(/npm run ([a-z:]+)/g)].map(([, name]) => name ?? '');
  expect(named.length).toBeGreaterThan(2);
  expect(named.filter((name) => !(name in scripts))).toEqual([]);
});

test('the snippet for backends is the example, which a test runs', () => {
  const example = readFileSync(join(ROOT, 'examples/backend-service.ts'), 'utf8');
  expect(blocks('ts')).toHaveLength(1);
  expect(example).toContain(blocks('ts')[0]?.trim());
});

describe('the first approval', () => {
  const PREFIX = ['npm', 'run', '-s', 'countersign', '--'];
  const PASSPHRASE = 'correct horse battery staple';
  let data: string;
  let up: ChildProcess & { said?: string };

  beforeAll(async () => {
    await ensureBuilt();
    data = mkdtempSync(join(tmpdir(), 'countersign-readme-'));
    up = spawn(process.execPath, [join(ROOT, 'dist/cli/main.js'), 'up', '--data', data], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    up.stdout?.on('data', (part: Buffer) => (said += part.toString()));
    up.stderr?.on('data', (part: Buffer) => (said += part.toString()));
    await until('the stack', () => {
      if (up.exitCode !== null) throw new Error(said);
      return said.includes('Nobody is enrolled') ? true : undefined;
    });
  }, 400_000);

  afterAll(async () => {
    const gone = new Promise((done) => up.once('exit', done));
    up.kill('SIGTERM');
    await gone;
    removeDataFolder(data);
    rmSync(data, { recursive: true, force: true });
  });

  /** Runs one line of the README as its reader would, typing what a person types. */
  async function run(line: string): Promise<Outcome> {
    const file = join(data, 'my-key.json');
    const words = (line.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replaceAll('"', ''));
    expect(words.slice(0, 5)).toEqual(PREFIX);
    const args = words.slice(5).map((word) => {
      if (word === 'CODE') return codeOf(data);
      return word === 'my-key.json' ? file : word;
    });
    const typed = args.includes('new')
      ? [PASSPHRASE, PASSPHRASE]
      : args.includes('register-domain')
        ? ['superseal.club', PASSPHRASE]
        : [PASSPHRASE];
    const variables = { COUNTERSIGN_DATA: data, HOME: data, PATH: process.env['PATH'] ?? '' };
    // Where nothing is typed, the very program runs; where a terminal is needed, its code with one that types.
    if (!/^(keys|approve|inbox)$/.test(args[0] ?? '')) return asProcess(args, variables);
    return callCli(args, { variables, cwd: ROOT, typed });
  }

  test('each command of the README does what it says, and the site is live', async () => {
    const lines = blocks('sh', between('walk')).join('').trim().split('\n');
    expect(lines.length).toBeGreaterThan(7);
    const outcomes = new Map<string, Outcome>();
    for (const line of lines) {
      // A gate opens when the run gets there; a reader would look at `countersign inbox` meanwhile.
      const gate = /--gate (\S+)/.exec(line)?.[1];
      if (gate !== undefined)
        await until(`the gate ${gate}`, async () => {
          const { out } = await run('npm run -s countersign -- inbox --json');
          return out.includes(`:${gate}:`) ? true : undefined;
        });
      const outcome = await run(line);
      outcomes.set(line, outcome);
      expect([line, outcome.exitCode, outcome.err]).toEqual([line, 0, expect.anything()]);
    }
    const { out } = await run('npm run -s countersign -- show launch-7 --json');
    expect(JSON.parse(out)).toMatchObject({ phase: 'completed', spentMinor: 3020 });
    // The request's own budget caps its run, below the policy's cap for any run.
    const { balances } = JSON.parse((await run('npm run -s countersign -- ledger --json')).out) as {
      balances: unknown[];
    };
    expect(balances).toContainEqual(
      expect.objectContaining({ scope: 'run:launch-7', capMinor: 6000 }),
    );
    const approved = [...outcomes].filter(([line]) => line.includes(' approve '));
    expect(approved.map(([, { seen }]) => seen).join('\n')).toContain('superseal.club');
  }, 300_000);
});

function asProcess(args: readonly string[], env: Record<string, string>): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(ROOT, 'dist/cli/main.js'), ...args], {
      env,
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = { out: '', err: '', seen: '' };
    child.stdout.on('data', (part: Buffer) => (said.out += part.toString()));
    child.stderr.on('data', (part: Buffer) => (said.err += part.toString()));
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ ...said, exitCode: code ?? -1 });
    });
  });
}

function codeOf(data: string): string {
  const file = join(data, 'secrets/bootstrap.json');
  expect(existsSync(file)).toBe(true);
  return (JSON.parse(readFileSync(file, 'utf8')) as { code: string }).code;
}

async function until<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  for (let tries = 0; tries < 600; tries += 1) {
    const found = await look();
    if (found !== undefined) return found;
    await pause(200);
  }
  throw new Error(`waited in vain for ${what}`);
}
