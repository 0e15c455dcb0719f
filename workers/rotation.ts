import { createHash } from 'node:crypto';

/** What a process says of one secret that it holds; fingerprints, never values. Times in ms since the epoch. */
export interface RotationState {
  readonly name: string;
  readonly fingerprint: string;
  readonly sinceMs: number;
  readonly checkedMs: number;
  /** Why a newer value is not used; absent where there is none. */
  readonly problem: string | undefined;
}

/** A secret that may be replaced while this process runs. */
export interface Rotating {
  /** The value that has proved itself last. */
  readonly value: string;
  /** Looks for a newer value and takes it, once it has proved itself. Never throws: what is wrong is in `state`. */
  poll(): Promise<void>;
  state(): RotationState;
}

export interface SecretSource {
  /** Changes when there may be another value to read. */
  stamp(): string;
  /** @throws Error in words that hold no secret */
  read(): Promise<string>;
}

export interface RotationOptions {
  readonly name: string;
  readonly initial: string;
  readonly source: SecretSource;
  /** A read call with the newer value. @throws Error in words that hold no secret */
  readonly prove: (candidate: string) => Promise<void>;
  readonly nowMs?: () => number;
}

export const fingerprintOf = (value: string): string =>
  createHash('sha256').update(value).digest('hex').slice(0, 12);

/** Holds a secret whose source may change: the former value is used until the newer one has proved itself. */
export function rotating(options: RotationOptions): Rotating {
  const { name, source, prove } = options;
  const now = options.nowMs ?? (() => Date.now());
  let value = options.initial;
  let stamp = stampOf(source);
  let problem: string | undefined;
  let sinceMs = now();
  let checkedMs = sinceMs;
  let polling: Promise<void> | undefined;
  const look = async (): Promise<void> => {
    const seen = stampOf(source);
    checkedMs = now();
    // One that was refused is tried again: it may be valid in a minute.
    if (seen === stamp && problem === undefined) return;
    try {
      const candidate = await source.read();
      if (candidate !== value) {
        await prove(candidate);
        value = candidate;
        sinceMs = now();
      }
      stamp = seen;
      problem = undefined;
    } catch (error) {
      problem = `a newer value is not used: ${error instanceof Error ? error.message : 'unknown'}`;
    }
  };
  return {
    get value() {
      return value;
    },
    poll: () => {
      polling ??= look().finally(() => {
        polling = undefined;
      });
      return polling;
    },
    state: () => ({ name, fingerprint: fingerprintOf(value), sinceMs, checkedMs, problem }),
  };
}

/** A source that cannot be looked at has a stamp of its own, so that reading it says why. */
function stampOf(source: SecretSource): string {
  try {
    return source.stamp();
  } catch {
    return 'unreadable';
  }
}
