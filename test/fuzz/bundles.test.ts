import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { packSite } from '../../client/bundle.js';
import { FileRefused } from '../../client/errors.js';
import { WORKER_CHARACTERS_MAX, workerProblem } from '../../client/worker-syntax.js';
import {
  type BundleFile,
  bundlePathProblem,
  bundleProblems,
  manifestDigestOf,
  manifestOf,
} from '../../domain/bundle.js';
import { canonicalize, parseCanonical } from '../../domain/canonical.js';
import { readBody } from '../../server/body.js';
import { Problem } from '../../server/problem.js';
import { readSite } from '../../server/routes-bundles.js';
import {
  CPU_MAX_MS,
  cpuMsOf,
  expectBoth,
  feed,
  type Holds,
  type Outcome,
  PATIENCE_MS,
  TEN_MB,
} from './harness.js';
import { mutatedJson, mutatedText, mutatedValue, rawText, soup } from './inputs.js';

/** Sites as they are uploaded and packed: names, manifests and Workers that nobody would write. */

const WORKER = `import { env } from 'cloudflare:workers';
const page = /* the landing page */ (name) => \`<h1>\${name}</h1>\`;
export default { async fetch(request) { return new Response(page(new URL(request.url).pathname)); } };
`;
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const upload = {
  files: [
    { path: 'worker.mjs', content: base64(WORKER) },
    { path: 'public/index.html', content: base64('<h1>Superseal</h1>') },
    { path: 'public/img/ä b.svg', content: base64('<svg/>') },
  ],
};
const entries = ['worker.mjs', 'public/index.html', 'public/img/ä b.svg'].map((name, index) => ({
  ...{ path: name, size: index + 1, sha256: String(index).repeat(64) },
}));

/** What is accepted has names that go nowhere else, and one manifest whatever the order it came in. */
function standsFor(files: readonly BundleFile[]): void {
  // One assertion over all: a thousand of them would be what takes the time.
  const astray = files.filter(
    ({ path: name }) =>
      path.posix.normalize(name) !== name ||
      path.posix.isAbsolute(name) ||
      name.split('/').includes('..'),
  );
  expect(astray).toEqual([]);
  const text = canonicalize(manifestOf(files));
  expect(canonicalize(parseCanonical(text, TEN_MB))).toBe(text);
  expect(manifestDigestOf(manifestOf(files.toReversed()))).toBe(
    manifestDigestOf(manifestOf(files)),
  );
}

function attemptUpload(text: string): Outcome {
  try {
    const asked = { body: Buffer.from(text), contentType: 'application/json' };
    const { digest, files } = readSite(asked);
    expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    for (const { path: name } of files) expect(bundlePathProblem(name)).toBeUndefined();
    expect(readSite(asked).digest).toBe(digest);
    return 'parsed';
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    expect([400, 422]).toContain(error.status);
    expect(error.message.length).toBeLessThan(1_500);
    return 'refused';
  }
}

test(
  'an uploaded site is parsed or refused, within 100 ms',
  async () => {
    expect(attemptUpload(JSON.stringify(upload))).toBe('parsed');
    const worker = mutatedText([WORKER]).map((source) => {
      const [, ...others] = upload.files;
      return JSON.stringify({
        files: [{ path: 'worker.mjs', content: base64(source) }, ...others],
      });
    });
    const input = fc.oneof(
      { weight: 4, arbitrary: mutatedJson([upload]) },
      { weight: 3, arbitrary: worker },
      { weight: 2, arbitrary: mutatedText([JSON.stringify(upload)]) },
      { weight: 1, arbitrary: fc.oneof(soup, rawText) },
    );
    expectBoth(await feed('an uploaded site', input, attemptUpload));
  },
  PATIENCE_MS,
);

const wordsOf = (file: Record<string, unknown>): { path: string; sha256: string } => ({
  path: typeof file['path'] === 'string' ? file['path'] : '',
  sha256: typeof file['sha256'] === 'string' ? file['sha256'] : '',
});

test(
  'a manifest and its file names are accepted or refused, within 100 ms',
  async () => {
    const attempt = (files: readonly BundleFile[]): Outcome | Holds => {
      const problems = bundleProblems(files);
      expect(problems.filter((problem) => !/^[^\n\u202e\u0000]{5,2000}$/u.test(problem))).toEqual(
        [],
      );
      if (problems.length > 0) return 'refused';
      return () => {
        standsFor(files);
      };
    };
    expect(attempt(entries)).not.toBe('refused');
    const name = fc.oneof(
      mutatedText(['public/index.html', 'public/img/ä b.svg', 'public/../../etc/passwd']),
      soup,
      fc.constantFrom('/etc/passwd', 'public//a', 'C:\\a', 'public/.env', 'PUBLIC/INDEX.HTML', ''),
      fc.stringMatching(/^public\/[a-z]{1,8}(\/[a-z .-]{1,8}){0,3}$/),
    );
    const input = fc.oneof(
      name.map((one) => [...entries, { path: one, size: 1, sha256: 'e'.repeat(64) }]),
      fc.tuple(fc.nat(2), mutatedValue(entries)).map(([at, one]) => {
        const file: Record<string, unknown> = { size: 0, ...(one as object) };
        // What is not of these types is refused by the shape of an upload.
        const shaped = { size: Number(file['size']), ...wordsOf(file) };
        return entries.with(at, shaped);
      }),
      fc.tuple(name, fc.nat(1_200)).map(([one, count]) => [
        ...entries,
        ...Array.from({ length: count }, (_, n) => ({
          ...{ path: `${one}${n}`, size: n, sha256: 'f'.repeat(64) },
        })),
      ]),
    );
    expectBoth(await feed<readonly BundleFile[]>('a manifest', input, attempt));
  },
  PATIENCE_MS,
);

test('a Worker of brackets alone is refused, however deep', () => {
  for (const piece of ['[', '(', '{', '`${', '!', 'a=>', 'if(a)', 'async function*a(){'])
    expect(workerProblem(piece.repeat(100_000))).toMatch(/^has a syntax error at line 1, col/);
});

test('10 MB of an upload, of a Worker and of a list of files are refused unparsed', async () => {
  const body = Buffer.from(`{"files":[{"path":"${'a'.repeat(TEN_MB)}"}]}`);
  const request = new Request('http://x/', { method: 'POST', body });
  await expect(readBody(request, TEN_MB)).rejects.toMatchObject({ status: 413 });
  // Not a word of it is syntax: only whoever does not parse it says that it is long.
  const source = '}'.repeat(TEN_MB);
  const many = Array.from({ length: TEN_MB / 64 }, (_, n) => ({
    ...{ path: `../${n}`, size: -1, sha256: 'x' },
  }));
  expect(
    cpuMsOf(() => {
      expect(bundlePathProblem('a'.repeat(TEN_MB))).toContain('longer than 400 characters');
      expect(workerProblem(source)).toContain(`longer than ${WORKER_CHARACTERS_MAX} characters`);
      expect(bundleProblems(many)).toEqual([`${many.length} files, at most 1000 are allowed`]);
    }),
  ).toBeLessThanOrEqual(CPU_MAX_MS);
});

test('a folder with such a Worker is not packed', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'countersign-fuzz-'));
  try {
    for (const source of ['['.repeat(200_000), '}'.repeat(TEN_MB)]) {
      writeFileSync(path.join(folder, 'worker.mjs'), source);
      expect(() => packSite(folder)).toThrow(FileRefused);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
