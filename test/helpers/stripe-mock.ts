import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/**
 * The vendor's own mock, which knows the OpenAPI of every request. Pinned: its spec moves with
 * it.
 */
const VERSION = 'v0.203.0';
const CACHE = join(homedir(), '.cache', 'countersign', `stripe-mock-${VERSION}`);

export interface StripeMock {
  readonly url: string;
  close(): void;
}

const executable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/**
 * Where `stripe-mock` is: STRIPE_MOCK_BIN, the PATH, the cache, or built with Go into the cache.
 * @throws Error saying what to install.
 */
export function stripeMockBinary(): string {
  const named = process.env['STRIPE_MOCK_BIN'];
  if (named !== undefined) {
    if (executable(named)) return named;
    throw new Error(`STRIPE_MOCK_BIN names ${named}, which can't be executed: mend or unset it`);
  }
  const onPath = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((dir) => join(dir, 'stripe-mock'));
  const cached = join(CACHE, 'stripe-mock');
  const found = [...onPath, cached].find(executable);
  if (found !== undefined) return found;
  mkdirSync(CACHE, { recursive: true });
  const built = spawnSync('go', ['install', `github.com/stripe/stripe-mock@${VERSION}`], {
    env: { ...process.env, GOBIN: CACHE },
    encoding: 'utf8',
    timeout: 300_000,
  });
  if (built.status === 0 && executable(cached)) return cached;
  const why = built.error?.message ?? built.stderr.trim().split('\n').at(-1) ?? '';
  throw new Error(
    `stripe-mock ${VERSION} is not on the PATH and could not be built (${why}): install Go, ` +
      `or put ` +
      `stripe-mock on the PATH, or name it in STRIPE_MOCK_BIN`,
  );
}

/** Starts it on a free loopback port and waits until it says where it listens. */
export async function startStripeMock(): Promise<StripeMock> {
  const child = spawn(stripeMockBinary(), ['-http-addr', '127.0.0.1:0'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const port = await new Promise<string>((resolve, reject) => {
    let said = '';
    const listen = (chunk: Buffer): void => {
      said += chunk.toString();
      const [, found] = /Listening for HTTP at address: \S+:(\d+)/.exec(said) ?? [];
      if (found !== undefined) resolve(found);
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    child.once('exit', (code) => {
      reject(new Error(`stripe-mock ended with ${code ?? 'a signal'}: ${said}`));
    });
  });
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      child.kill('SIGKILL');
    },
  };
}
