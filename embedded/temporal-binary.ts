import { access, constants, mkdir, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { UnreachableError } from '../config/errors.js';
import { checkCached, takeIntoCache } from './cached-binary.js';
import { lastLine, runCommand } from './run-command.js';

/** The version we download or build; what is found on the PATH may be any. */
export const TEMPORAL_VERSION = '1.5.1';
const MODULE = `github.com/temporalio/cli/cmd/temporal@v${TEMPORAL_VERSION}`;
const DOWNLOAD_TIMEOUT_MS = 300_000;
const BUILD_TIMEOUT_MS = 1_800_000;
const PROGRESS_MS = 15_000;

export type TemporalSource = 'address' | 'path' | 'cache' | 'download' | 'build';

export type TemporalChoice =
  | { readonly source: 'address'; readonly address: string; readonly notes: readonly string[] }
  | {
      readonly source: Exclude<TemporalSource, 'address'>;
      readonly file: string;
      /** Lower-case hex; absent for a program from the PATH, which is not ours to vouch for. */
      readonly sha256: string | undefined;
      /** One line for each source: which was taken, and why each earlier one was not. */
      readonly notes: readonly string[];
    };

export interface ResolveOptions {
  /** A server that somebody configured: it is taken, never second-guessed. */
  readonly address: string | undefined;
  readonly cacheDir: string;
  /** For the PATH and for Go; nothing else of our environment reaches the tools. */
  readonly env: Readonly<Record<string, string>>;
  readonly onProgress: (line: string) => void;
  /** The command that downloads, given folder and version; ours unless a test brings its own. */
  readonly downloader?: readonly string[];
}

type Found = { readonly file: string; readonly sha256: string | undefined };
type Attempt = Found | { readonly why: string };

/**
 * Finds a Temporal server: configured address, `temporal` on the PATH, cached copy, the SDK's download,
 * build with Go; the first that works. @throws UnreachableError naming why each failed
 */
export async function resolveTemporal(options: ResolveOptions): Promise<TemporalChoice> {
  if (options.address !== undefined) {
    const { address } = options;
    return { source: 'address', address, notes: [`address: taken, ${address} is configured`] };
  }
  const notes = ['address: none configured'];
  const roads = [
    ['path', fromPath],
    ['cache', fromCache],
    ['download', fromDownload],
    ['build', fromBuild],
  ] as const;
  for (const [source, take] of roads) {
    const attempt = await take(options);
    if ('file' in attempt) {
      notes.push(`${source}: taken, ${attempt.file}`);
      return { source, ...attempt, notes };
    }
    notes.push(`${source}: ${attempt.why}`);
  }
  throw new UnreachableError({
    what: `no Temporal server could be had (${notes.join('; ')})`,
    remedy:
      'Install the temporal CLI on the PATH, or Go, or set COUNTERSIGN_TEMPORAL_ADDRESS to a running server',
  });
}

/** The place of the cached program of our version. */
export function cachedTemporal(cacheDir: string): string {
  return path.join(cacheDir, `temporal-${TEMPORAL_VERSION}`, 'temporal');
}

async function fromPath({ env }: ResolveOptions): Promise<Attempt> {
  const file = await findOnPath('temporal', env);
  if (file === undefined) return { why: 'no temporal on the PATH' };
  const trouble = await whyNotTemporal(file, env);
  return trouble === undefined ? { file, sha256: undefined } : { why: `${file} ${trouble}` };
}

async function fromCache({ cacheDir, env }: ResolveOptions): Promise<Attempt> {
  const file = cachedTemporal(cacheDir);
  const verdict = await checkCached(file);
  switch (verdict.kind) {
    case 'absent':
      return { why: `no cached copy at ${file}` };
    case 'bad':
      return { why: `${file} is not used: ${verdict.why}` };
    case 'good': {
      const trouble = await whyNotTemporal(file, env);
      return trouble === undefined
        ? { file, sha256: verdict.sha256 }
        : { why: `${file} ${trouble}` };
    }
  }
}

async function fromDownload(options: ResolveOptions): Promise<Attempt> {
  const { cacheDir, env, onProgress } = options;
  onProgress(`Asking the Temporal SDK to download its dev server ${TEMPORAL_VERSION}`);
  const own = [process.execPath, fileURLToPath(new URL('./temporal-download.js', import.meta.url))];
  const [program = process.execPath, ...args] = options.downloader ?? own;
  return inScratchFolder(cacheDir, async (folder) => {
    const version = `v${TEMPORAL_VERSION}`;
    const result = await runCommand(program, [...args, folder, version], {
      env,
      timeoutMs: DOWNLOAD_TIMEOUT_MS,
    });
    if (result.code !== 0) return { why: `the download failed: ${lastLine(result.output)}` };
    return keep(path.join(folder, `temporal-${version}`), options, 'downloaded by the SDK');
  });
}

async function fromBuild(options: ResolveOptions): Promise<Attempt> {
  const { cacheDir, env, onProgress } = options;
  const go = await findOnPath('go', env);
  if (go === undefined) return { why: 'no Go on the PATH to build it with' };
  return inScratchFolder(cacheDir, async (folder) => {
    const started = performance.now();
    let packages = 0;
    const report = (): void => {
      const seconds = Math.round((performance.now() - started) / 1_000);
      onProgress(`Building Temporal from ${MODULE}: ${packages} packages, ${seconds} s`);
    };
    report();
    const timer = setInterval(report, PROGRESS_MS);
    const result = await runCommand(go, ['install', '-v', MODULE], {
      env: { ...env, GOBIN: folder },
      cwd: folder,
      timeoutMs: BUILD_TIMEOUT_MS,
      onOutput: (text) => {
        packages += text.split('\n').length - 1;
      },
    });
    clearInterval(timer);
    if (result.code !== 0) return { why: `go install failed: ${lastLine(result.output)}` };
    return keep(path.join(folder, 'temporal'), options, `built from ${MODULE}`);
  });
}

/** Takes a program into the cache only when it proves to be one that runs. */
async function keep(made: string, options: ResolveOptions, source: string): Promise<Attempt> {
  const trouble = await whyNotTemporal(made, options.env);
  if (trouble !== undefined) return { why: `${made} ${trouble}` };
  const file = cachedTemporal(options.cacheDir);
  return { file, sha256: await takeIntoCache(made, file, source) };
}

async function inScratchFolder(
  cacheDir: string,
  work: (folder: string) => Promise<Attempt>,
): Promise<Attempt> {
  await mkdir(cacheDir, { recursive: true, mode: 0o700 });
  // In the cache itself, so that the finished program is renamed and not copied.
  const folder = await mkdtemp(path.join(cacheDir, 'temporal-incoming-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function whyNotTemporal(
  file: string,
  env: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  const result = await runCommand(file, ['--version'], { env, timeoutMs: 30_000 });
  if (result.code === 0 && result.output.includes('temporal version')) return undefined;
  return `does not answer as Temporal's CLI: ${lastLine(result.output)}`;
}

async function findOnPath(
  name: string,
  env: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  for (const folder of (env['PATH'] ?? '').split(path.delimiter)) {
    if (!path.isAbsolute(folder)) continue;
    const file = path.join(folder, name);
    try {
      await access(file, constants.X_OK);
      return file;
    } catch {
      continue;
    }
  }
  return undefined;
}
