import { afterEach, beforeEach, expect, test } from '@jest/globals';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { UnreachableError } from '../../config/errors.js';
import { sha256OfFile } from '../../embedded/cached-binary.js';
import {
  cachedTemporal,
  resolveTemporal,
  TEMPORAL_VERSION,
  type TemporalChoice,
} from '../../embedded/temporal-binary.js';

const CLI = '#!/bin/sh\necho "temporal version 9.9.9 (fake)"\n';
const FAILING_DOWNLOAD = ['/bin/sh', '-c', 'echo "no route to temporal.download" >&2; exit 1'];
const DOWNLOAD = ['/bin/sh', '-c', `cp "$0" "$1/temporal-$2"`];

let folder: string;
let cacheDir: string;
let progress: string[];
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-resolver-'));
  cacheDir = path.join(folder, 'cache');
  progress = [];
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function program(file: string, text = CLI): string {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, 0o755);
  return file;
}

/** A PATH of our own: the tools that scripts need, then what the test puts there. */
function resolve(
  given: { address?: string; downloader?: readonly string[] } = {},
): Promise<TemporalChoice> {
  return resolveTemporal({
    address: given.address,
    cacheDir,
    env: { PATH: `${path.join(folder, 'bin')}:/bin` },
    onProgress: (line) => progress.push(line),
    downloader: given.downloader ?? FAILING_DOWNLOAD,
  });
}

function fakeGo(body: string): void {
  program(path.join(folder, 'bin', 'go'), `#!/bin/sh\n${body}\n`);
}

test('a configured address wins over everything', async () => {
  program(path.join(folder, 'bin', 'temporal'));
  const choice = await resolve({ address: 'temporal.internal:7233' });
  expect(choice).toMatchObject({ source: 'address', address: 'temporal.internal:7233' });
});

test('then a temporal on the PATH, which is named', async () => {
  const file = program(path.join(folder, 'bin', 'temporal'));
  program(cachedTemporal(cacheDir));
  const choice = await resolve();
  expect(choice).toMatchObject({ source: 'path', file });
  expect(choice.notes).toEqual(['address: none configured', `path: taken, ${file}`]);
});

test('a program on the PATH that only bears the name is passed over, and the reason is told', async () => {
  program(path.join(folder, 'bin', 'temporal'), '#!/bin/sh\necho "a time tracker"\n');
  program(cachedTemporal(cacheDir));
  const choice = await resolve();
  expect(choice.source).toBe('cache');
  expect(choice.notes[1]).toMatch(/^path: .* does not answer as Temporal's CLI: a time tracker$/);
});

test('then the cached copy; its SHA-256 is recorded once and checked later', async () => {
  const file = program(cachedTemporal(cacheDir));
  const first = await resolve();
  expect(first).toMatchObject({ source: 'cache', file, sha256: await sha256OfFile(file) });
  // Touched but equal: read again and believed.
  utimesSync(file, 1, 1);
  expect((await resolve()).source).toBe('cache');
});

test('a cached copy that differs from its recorded SHA-256 is not run', async () => {
  const file = program(cachedTemporal(cacheDir));
  await resolve();
  const trace = path.join(folder, 'was-run');
  appendFileSync(file, `touch ${trace}\n`);
  await expect(resolve()).rejects.toThrow(
    /cache: .* is not used: its SHA-256 is [0-9a-f]{64}, but [0-9a-f]{64} was recorded/,
  );
  expect(existsSync(trace)).toBe(false);
});

test('then the download, which lands in the cache with its SHA-256', async () => {
  const source = program(path.join(folder, 'release', 'temporal'));
  const [shell = '', flag = '', script = ''] = DOWNLOAD;
  const choice = await resolve({ downloader: [shell, flag, script, source] });
  const file = cachedTemporal(cacheDir);
  expect(choice).toMatchObject({ source: 'download', file, sha256: await sha256OfFile(file) });
  expect(choice.notes).toHaveLength(4);
  expect((await resolve()).source).toBe('cache');
});

test('then a build with Go of the pinned version, with progress', async () => {
  const made = program(path.join(folder, 'made', 'temporal'));
  fakeGo(
    `[ "$1 $2 $3" = "install -v github.com/temporalio/cli/cmd/temporal@v${TEMPORAL_VERSION}" ] && cp ${made} "$GOBIN/temporal"`,
  );
  const choice = await resolve();
  expect(choice).toMatchObject({ source: 'build', file: cachedTemporal(cacheDir) });
  expect(choice.notes[3]).toBe('download: the download failed: no route to temporal.download');
  expect(progress.join('\n')).toContain(`Building Temporal from github.com/temporalio/cli`);
  expect(readdirSync(cacheDir)).toEqual([`temporal-${TEMPORAL_VERSION}`]);
});

test('with nothing left it says why each road failed, and what to do', async () => {
  fakeGo('echo "module lookup disabled" >&2; exit 1');
  const attempt = resolve();
  await expect(attempt).rejects.toBeInstanceOf(UnreachableError);
  await expect(attempt).rejects.toThrow(
    /address: none configured; path: no temporal on the PATH; cache: no cached copy at .*; download: the download failed: no route.*; build: go install failed: module lookup disabled\)\. Install the temporal CLI/,
  );
});

test('a build that does not answer as Temporal is not kept', async () => {
  const made = program(path.join(folder, 'made', 'temporal'), '#!/bin/sh\nexit 1\n');
  fakeGo(`cp ${made} "$GOBIN/temporal"`);
  await expect(resolve()).rejects.toThrow('build: ');
  expect(existsSync(cachedTemporal(cacheDir))).toBe(false);
});
