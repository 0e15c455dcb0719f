import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type BundleFile,
  bundlePathProblem,
  bundleProblems,
  credentialIn,
  manifestDigestOf,
  manifestOf,
} from '../../domain/bundle.js';

const file = (path: string, size = 1): BundleFile => ({ path, size, sha256: 'a'.repeat(64) });
const worker = file('worker.mjs');

describe('what may be in a bundle', () => {
  test.each([
    'worker.mjs',
    'public/index.html',
    'public/img/Zürich 2026.webp',
    'lib/a-b_c.mjs',
    'public/keyboard.css',
  ])('%s', (path) => {
    expect(bundlePathProblem(path)).toBeUndefined();
  });

  test.each<[string, RegExp]>([
    ['../worker.mjs', /dot/],
    ['public/../../etc/passwd', /dot/],
    ['/etc/passwd', /absolute/],
    ['public//a', /empty part/],
    ['public/', /empty part/],
    ['', /empty/],
    ['public\\a', /rename/],
    ['C:a', /rename/],
    ['.hidden', /dot/],
    ['public/.well-known/x', /dot/],
    ['.env', /credentials/],
    ['.env.production', /credentials/],
    ['public/.ENV', /credentials/],
    ['.git/config', /credentials/],
    ['.npmrc', /credentials/],
    ['certs/site.PEM', /credentials/],
    ['id_ed25519', /credentials/],
    ['public/a\u0000b', /U\+0000/],
    ['public/a\nb', /lines/],
    ['public/a\u202Eb', /U\+202E/],
    ['public/Zu\u0308rich', /normal form/],
    ['public/a ', /space/],
    ['public/a.', /dot/],
    [`public/${'a'.repeat(400)}`, /400/],
  ])('%j is refused by name, with what to do', (path, message) => {
    const problem = bundlePathProblem(path);
    expect(problem).toMatch(message);
    expect(problem).not.toMatch(/[\u0000-\u001f\u202e]/);
  });

  test.each<[string, BundleFile[], RegExp]>([
    ['no worker', [file('public/index.html')], /no worker\.mjs/],
    ['an empty worker', [file('worker.mjs', 0)], /is empty/],
    ['names that differ in case', [worker, file('public/A'), file('public/a')], /one name/],
    [
      'names that fold into one',
      [worker, file('public/straße'), file('public/STRASSE')],
      /one name/,
    ],
    ['the same name twice', [worker, worker], /one name/],
    ['a file below a file', [worker, file('public'), file('public/a')], /below a file/],
    ['26 MiB', [worker, file('public/a', 26 * 1024 * 1024)], /25 MiB/],
    [
      '101 MiB together',
      [worker, ...Array.from({ length: 5 }, (_, n) => file(`public/${n}`, 21 * 1024 * 1024))],
      /100 MiB/,
    ],
    [
      '1,001 files',
      [worker, ...Array.from({ length: 1_000 }, (_, n) => file(`public/${n}`))],
      /1000/,
    ],
    ['a negative size', [worker, file('public/a', -1)], /malformed/],
    ['a hash that is none', [worker, { ...file('public/a'), sha256: 'x' }], /malformed/],
  ])('%s is refused', (_, files, message) => {
    expect(bundleProblems(files).join('\n')).toMatch(message);
  });

  test('a good site has no problems', () => {
    expect(bundleProblems([worker, file('public/index.html')])).toEqual([]);
  });

  test('too many files are counted, and wrong names are not compared with each other', () => {
    const wrong = Array.from({ length: 1_001 }, () => file('../a'));
    expect(bundleProblems(wrong)).toEqual(['1001 files, at most 1000 are allowed']);
    // Twice the same, and no entry: said when every name is one.
    expect(bundleProblems(wrong.slice(-2)).every((problem) => problem.includes('dot'))).toBe(true);
  });

  test('no name makes the check crash', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (path) => {
        expect(Array.isArray(bundleProblems([file(path)]))).toBe(true);
      }),
    );
  });
});

describe('credentials in files', () => {
  // Written in halves, so that no scanner takes this file for a leak.
  test.each([
    ['a private key', ['-----BEGIN ', 'PRIVATE KEY-----']],
    ['a private key', ['-----BEGIN OPENSSH ', 'PRIVATE KEY-----']],
    ['a Stripe secret key', ['const k = "sk_', 'live_abcdefghijklmnop1234"']],
    ['a Stripe secret key', ['rk_', 'live_abcdefghijklmnop1234']],
    ['a Stripe webhook secret', ['whsec_', 'abcdefghijklmnop1234']],
    ['an AWS access key', ['AKIA', 'ABCDEFGHIJKLMNOP']],
    ['a GitHub token', ['ghp_', 'a'.repeat(36)]],
    ['a GitLab token', ['glpat-', 'a'.repeat(20)]],
    ['a Slack token', ['xoxb-', '1234567890-abc']],
  ])('%s is seen', (kind, halves) => {
    expect(credentialIn(`x ${halves.join('')} y`)).toBe(kind);
  });

  test('a page that only talks about keys is not refused', () => {
    expect(credentialIn('Never publish a private key, an sk_live key or a token.')).toBeUndefined();
  });
});

describe('the manifest', () => {
  test('does not depend on the order of files, and one byte makes another digest', () => {
    const files = [worker, file('public/b'), file('public/a')];
    const digest = manifestDigestOf(manifestOf(files));
    expect(manifestDigestOf(manifestOf([...files].reverse()))).toBe(digest);
    expect(manifestOf(files).files.map(({ path }) => path)).toEqual([
      'public/a',
      'public/b',
      'worker.mjs',
    ]);
    const changed = [worker, file('public/b'), { ...file('public/a'), sha256: 'b'.repeat(64) }];
    expect(manifestDigestOf(manifestOf(changed))).not.toBe(digest);
  });
});
