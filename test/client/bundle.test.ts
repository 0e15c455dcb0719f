import { execFileSync } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { packSite } from '../../client/bundle.js';
import { FileRefused } from '../../client/errors.js';
import { digestOf } from '../../domain/canonical.js';

const WORKER = 'export default { fetch: (request, env) => env.ASSETS.fetch(request) };\n';
let site: string;
let outside: string;

beforeEach(() => {
  const folder = mkdtempSync(path.join(tmpdir(), 'countersign-site-'));
  site = path.join(folder, 'site');
  outside = path.join(folder, 'outside.txt');
  mkdirSync(path.join(site, 'public'), { recursive: true });
  writeFileSync(path.join(site, 'worker.mjs'), WORKER);
  writeFileSync(path.join(site, 'public/index.html'), '<!doctype html><title>A</title>\n');
  writeFileSync(outside, 'secret\n');
});

afterEach(() => {
  rmSync(path.dirname(site), { recursive: true, force: true });
});

const put = (name: string, content: string | Buffer): void => {
  const file = path.join(site, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, content);
};

test('the digest names the very bytes: one changed byte is another bundle', () => {
  const before = packSite(site);
  expect(before.digest).toBe(digestOf(JSON.parse(before.manifest)));
  expect(before.files.map((file) => file.path)).toEqual(['public/index.html', 'worker.mjs']);
  expect(packSite(site).digest).toBe(before.digest);
  put('public/index.html', '<!doctype html><title>B</title>\n');
  expect(packSite(site).digest).not.toBe(before.digest);
});

test('the example site packs', () => {
  const example = path.resolve(import.meta.dirname, '../../examples/superseal/site');
  expect(packSite(example).files.map((file) => file.path)).toEqual([
    'public/404.html',
    'public/favicon.svg',
    'public/index.html',
    'public/style.css',
    'worker.mjs',
  ]);
});

const REFUSED: readonly (readonly [what: string, make: () => void, message: RegExp])[] = [
  [
    'a symbolic link',
    () => {
      symlinkSync(outside, path.join(site, 'public/a.txt'));
    },
    /"public\/a.txt" is a symbolic link/,
  ],
  [
    'a link to a folder',
    () => {
      symlinkSync('/etc', path.join(site, 'public/etc'));
    },
    /"public\/etc" is a symbolic link/,
  ],
  [
    'a hard link',
    () => {
      linkSync(outside, path.join(site, 'public/a.txt'));
    },
    /"public\/a.txt" has a second name/,
  ],
  [
    'a pipe',
    () => {
      execFileSync('mkfifo', [path.join(site, 'public/pipe')]);
    },
    /is a device, a pipe or a socket/,
  ],
  [
    '.env',
    () => {
      put('public/.env', 'A=1');
    },
    /\.env.*may hold credentials/,
  ],
  [
    '.git',
    () => {
      put('.git/config', '[core]');
    },
    /\.git.*may hold credentials/,
  ],
  [
    '.npmrc',
    () => {
      put('public/.npmrc', '');
    },
    /\.npmrc.*may hold credentials/,
  ],
  [
    'a .pem file',
    () => {
      put('public/site.pem', '');
    },
    /site\.pem.*may hold credentials/,
  ],
  [
    'a hidden file',
    () => {
      put('public/.hidden', '');
    },
    /no part may start with a dot/,
  ],
  [
    'a private key inside a file',
    () => {
      put('public/a.txt', `x\n-----BEGIN PRIVATE KEY-----\n`);
    },
    /a\.txt: it seems to hold a private key/,
  ],
  [
    'a Stripe key inside a file',
    () => {
      put('public/a.js', `const k = "sk_live_${'0a'.repeat(12)}"`);
    },
    /it seems to hold a Stripe secret key/,
  ],
  [
    'two names that differ in case',
    () => {
      put('public/A.txt', '');
      put('public/a.txt', '');
    },
    /one name where case does not count/,
  ],
  [
    'a backslash in a name',
    () => {
      put('public/a\\b.txt', '');
    },
    /the name holds one of/,
  ],
  [
    'a control character in a name',
    () => {
      put('public/a\u001b[2J.txt', '');
    },
    /hidden or control character/,
  ],
  [
    'a decomposed name',
    () => {
      put('public/e\u0301.txt', '');
    },
    /normal form C/,
  ],
  [
    'a file beside public/',
    () => {
      put('notes.md', 'some notes');
    },
    /"notes.md" is neither worker.mjs nor in public\//,
  ],
  [
    'a file of 26 MiB',
    () => {
      put('public/big.bin', '');
      truncateSync(path.join(site, 'public/big.bin'), 26 * 2 ** 20);
    },
    /more than 25 MiB/,
  ],
  [
    'more than 1,000 files',
    () => {
      for (let i = 0; i < 1_001; i += 1) put(`public/${i}.txt`, '');
    },
    /more than 1000 files/,
  ],
  [
    'no Worker',
    () => {
      rmSync(path.join(site, 'worker.mjs'));
    },
    /there is no worker.mjs/,
  ],
  [
    'an empty Worker',
    () => {
      put('worker.mjs', '');
    },
    /worker.mjs is empty/,
  ],
  [
    'a Worker with a syntax error',
    () => {
      put('worker.mjs', 'export default {\n  fetch( }\n');
    },
    /syntax error at line 2, column 10/,
  ],
  [
    'a Worker without a default export',
    () => {
      put('worker.mjs', 'export const a = 1;');
    },
    /no default export/,
  ],
  [
    'a Worker that imports what is not deployed',
    () => {
      put('worker.mjs', `import x from './x.mjs';\n${WORKER}`);
    },
    /imports "\.\/x\.mjs", which is not deployed/,
  ],
];

describe('packing refuses', () => {
  test.each(REFUSED.map((row) => [row[0], row] as const))('%s', (_what, [, make, message]) => {
    make();
    let thrown: unknown;
    try {
      packSite(site);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(FileRefused);
    expect((thrown as Error).message).toMatch(message);
    expect((thrown as Error).message).not.toContain('\u001b');
  });
});

test('a Worker is parsed, never run', () => {
  const marker = path.join(path.dirname(site), 'ran');
  put(
    'worker.mjs',
    `import { writeFileSync } from 'node:fs';\nwriteFileSync(${JSON.stringify(marker)}, '');\n${WORKER}`,
  );
  expect(() => packSite(site)).not.toThrow();
  expect(() => execFileSync('ls', [marker], { stdio: 'pipe' })).toThrow();
});

test('the site folder itself must be a real folder', () => {
  const link = path.join(path.dirname(site), 'link');
  symlinkSync(site, link);
  expect(() => packSite(link)).toThrow('it is a symbolic link');
  expect(() => packSite(outside)).toThrow('it is not a folder');
  expect(() => packSite(path.join(site, 'nowhere'))).toThrow('there is no such site folder');
});
