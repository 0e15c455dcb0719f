import { randomInt, timingSafeEqual } from 'node:crypto';
import path from 'node:path';
import { UsageError } from '../config/errors.js';
import { readPrivateFile, writePrivateFile } from '../config/private-files.js';

/** The code with which the first person of an embedded stack enrols: 15 minutes, 5 tries, once. */

const MINUTES = 15;
const TRIES = 5;
const LEGIBLE = 'abcdefghjkmnpqrstuvwxyz23456789';

interface CodeState {
  readonly code: string;
  readonly expiresAtMs: number;
  readonly triesLeft: number;
}

/** Where the code is kept, 0600. */
export const bootstrapFile = (dataDir: string): string =>
  path.join(dataDir, 'secrets', 'bootstrap.json');

/** Draws a new code; the one before is void. `nowMs` by the control database's clock. */
export function drawBootstrapCode(dataDir: string, nowMs: number): string {
  const letter = (): string => LEGIBLE.charAt(randomInt(LEGIBLE.length));
  const group = (): string => Array.from({ length: 4 }, letter).join('');
  const code = Array.from({ length: 8 }, group).join('-');
  write(dataDir, { code, expiresAtMs: nowMs + MINUTES * 60_000, triesLeft: TRIES });
  return code;
}

/** Takes one try at the code. @throws UsageError when it is wrong, used up, too old or was never drawn */
export function useBootstrapCode(dataDir: string, given: string, nowMs: number): void {
  const state = read(dataDir);
  if (state === undefined || state.triesLeft <= 0 || nowMs > state.expiresAtMs)
    throw refused('this code is no longer good', FRESH);
  // The try is taken before the comparison: killing the process in between gains nothing.
  write(dataDir, { ...state, triesLeft: state.triesLeft - 1 });
  if (!same(given.trim().toLowerCase(), state.code))
    throw refused(
      `the code is wrong; ${triesLeft(state.triesLeft - 1)}`,
      state.triesLeft > 1
        ? `Copy it from where \`countersign up\` showed it, or read it in ${bootstrapFile(dataDir)}`
        : FRESH,
    );
}

/** Voids the code once somebody is enrolled with it. */
export function spendBootstrapCode(dataDir: string): void {
  write(dataDir, { code: '', expiresAtMs: 0, triesLeft: 0 });
}

const FRESH = 'Stop the stack and start it again with `countersign up`: it prints a new one';

function triesLeft(count: number): string {
  if (count <= 0) return 'no try is left';
  return count === 1 ? 'one try is left' : `${count} tries are left`;
}

function refused(what: string, remedy: string): UsageError {
  return new UsageError({ what, remedy });
}

function same(given: string, code: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(code)];
  return one.length === other.length && timingSafeEqual(one, other);
}

function read(dataDir: string): CodeState | undefined {
  const text = readPrivateFile(bootstrapFile(dataDir));
  return text === undefined ? undefined : (JSON.parse(text) as CodeState);
}

function write(dataDir: string, state: CodeState): void {
  writePrivateFile(bootstrapFile(dataDir), `${JSON.stringify(state)}\n`);
}
