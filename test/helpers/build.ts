import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

export const ROOT = path.resolve(import.meta.dirname, '../..');
const FOLDERS = [
  'activities',
  'cli',
  'client',
  'config',
  'domain',
  'embedded',
  'gateway',
  'sandbox',
  'server',
  'store',
  'workers',
  'workflows',
];
const LOCK = path.join(ROOT, 'node_modules/.cache/build.lock');
const BUILT = path.join(ROOT, 'dist/workflow-bundle.js');

/** Builds `dist/` when a source is newer: processes that tests start run compiled code. Once at a time. */
export async function ensureBuilt(): Promise<string> {
  const deadline = performance.now() + 300_000;
  while (!isFresh()) {
    const mine = takeLock();
    if (mine) {
      try {
        execFileSync(process.execPath, ['scripts/build.mjs'], { cwd: ROOT, stdio: 'pipe' });
      } finally {
        rmSync(LOCK, { force: true });
      }
      break;
    }
    if (performance.now() > deadline)
      throw new Error(`remove ${LOCK}: the build of another test never ended`);
    await pause(200);
  }
  return path.join(ROOT, 'dist');
}

function takeLock(): boolean {
  mkdirSync(path.dirname(LOCK), { recursive: true });
  try {
    closeSync(openSync(LOCK, 'wx'));
    return true;
  } catch {
    return false;
  }
}

function isFresh(): boolean {
  if (!existsSync(BUILT) || existsSync(LOCK)) return false;
  const built = statSync(BUILT).mtimeMs;
  return FOLDERS.every((folder) => newest(path.join(ROOT, folder)) <= built);
}

function newest(folder: string): number {
  return Math.max(
    0,
    ...readdirSync(folder, { withFileTypes: true }).map((entry) => {
      const full = path.join(folder, entry.name);
      if (entry.isDirectory()) return newest(full);
      return entry.name.endsWith('.ts') ? statSync(full).mtimeMs : 0;
    }),
  );
}
