import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, test } from '@jest/globals';

const root = resolve(import.meta.dirname, '../..');
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(root, file)));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const code = tracked.filter((file) => file.endsWith('.ts'));
const source = code.filter((file) => !file.startsWith('test/') && !file.startsWith('bench/'));
const prose = tracked.filter((file) => file.endsWith('.md'));
const lines = (text: string): readonly string[] => text.split('\n');

/** Comments and blank lines do not make a file long. */
const codeLines = (file: string): number =>
  lines(read(file)).filter((line) => !/^\s*(\/\/|\/?\*|$)/.test(line)).length;

test('no source file has more than 400 lines of code', () => {
  expect(source.filter((file) => codeLines(file) > 400)).toEqual([]);
});

test('nothing is left for later in the code or the docs', () => {
  const marks = /\b(TODO|FIXME|XXX|HACK)\b|\bnot implemented\b|\bfor now\b/i;
  const found = [...code, ...prose]
    .filter((file) => file !== 'test/house/tidy.test.ts')
    .flatMap((file) =>
      lines(read(file)).flatMap((line, i) => (marks.test(line) ? [`${file}:${i + 1}`] : [])),
    );
  expect(found).toEqual([]);
});

test('no test is focused, skipped or left to fail', () => {
  const marks = /\b(test|it|describe)\.(only|skip|todo|failing)\b|\bx(it|describe|test)\(/;
  const allowed = /skipIf|WithoutChromium/;
  const found = code
    .filter((file) => file !== 'test/house/tidy.test.ts')
    .flatMap((file) =>
      lines(read(file)).flatMap((line, i) =>
        marks.test(line) && !allowed.test(line) ? [`${file}:${i + 1}`] : [],
      ),
    );
  expect(found).toEqual([]);
});

test('types and lint are switched off nowhere', () => {
  const marks = /eslint-disable|@ts-ignore|@ts-nocheck|\bas any\b|(?<!\/.*): any(?=[;,)=\]>|]|$)/;
  const found = code
    .filter((file) => file !== 'test/house/tidy.test.ts')
    .flatMap((file) =>
      lines(read(file)).flatMap((line, i) => (marks.test(line) ? [`${file}:${i + 1}`] : [])),
    );
  expect(found).toEqual([]);
});

test('every source file is imported by something, or is a known entry', () => {
  const entries = new Set(['cli/main.ts', 'workflows/index.ts']);
  const imported = new Set(
    code.flatMap((file) =>
      [...read(file).matchAll(/(?:from|import)\s+['"](\.[^'"]+)\.js['"]/g)].map((match) =>
        join(dirname(file), `${match[1] ?? ''}.ts`),
      ),
    ),
  );
  // Child processes and generated tools are started by path.
  const byPath = code.flatMap((file) =>
    [...read(file).matchAll(/['"`](?:[^'"`]*\/)?([a-z0-9-]+)\.js['"`]/g)].map((m) => m[1] ?? ''),
  );
  const orphans = source.filter((file) => {
    const name = file.split('/').at(-1)?.replace(/\.ts$/, '') ?? '';
    return !entries.has(file) && !imported.has(file) && !byPath.includes(name);
  });
  expect(orphans).toEqual([]);
});

test('every relative link in the docs leads to a file that exists', () => {
  const broken = prose.flatMap((file) =>
    [...read(file).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)[^)]*\)/g)]
      .map((match) => match[1] ?? '')
      .filter((target) => !existsSync(resolve(root, dirname(file), target)))
      .map((target) => `${file} -> ${target}`),
  );
  expect(broken).toEqual([]);
});

test('the lockfile is version 3, has an integrity for each package, and names no host', () => {
  const lock = JSON.parse(read('package-lock.json')) as {
    lockfileVersion: number;
    packages: Record<string, { integrity?: string; resolved?: string; link?: boolean }>;
  };
  expect(lock.lockfileVersion).toBe(3);
  const wrong = Object.entries(lock.packages).filter(
    ([path, entry]) =>
      path !== '' &&
      (!(entry.integrity ?? '').startsWith('sha512-') ||
        entry.resolved !== undefined ||
        entry.link === true),
  );
  expect(wrong.map(([path]) => path)).toEqual([]);
});

test('each package with an install script is named in allowScripts, allowed or denied', () => {
  const lock = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { hasInstallScript?: boolean }>;
  };
  const pkg = JSON.parse(read('package.json')) as { allowScripts: Record<string, boolean> };
  const scripts = Object.entries(lock.packages)
    .filter(([, entry]) => entry.hasInstallScript === true)
    .map(([path]) => path.replace(/^.*node_modules\//, ''));
  expect(scripts.filter((name) => !(name in pkg.allowScripts))).toEqual([]);
});

test('no secret-looking string is in the tree', () => {
  const patterns = [
    /-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/]{20}/,
    /\b[rs]k_live_[A-Za-z0-9]{16,}/,
    /\bwhsec_[A-Za-z0-9+/]{24,}/,
    /\bghp_[A-Za-z0-9]{36}\b/,
    /\bAKIA[0-9A-Z]{16}\b/,
    /\bxox[abp]-[0-9A-Za-z-]{20,}/,
  ];
  const text = tracked.filter((file) => !/\.(png|ico|woff2?|lock)$/.test(file));
  expect(text.filter((file) => patterns.some((pattern) => pattern.test(read(file))))).toEqual([]);
});
