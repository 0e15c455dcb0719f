import { expect } from '@jest/globals';
import fc from 'fast-check';

/** Inputs for each parser: 5,000; COUNTERSIGN_FUZZ=100000 plays more of them. */
export const RUNS = Number(process.env['COUNTERSIGN_FUZZ'] ?? 5_000);
/** The same inputs each time, so that a red run is red again; the long mode draws others, and says which. */
const SEED = Number(
  process.env['COUNTERSIGN_FUZZ_SEED'] ?? (RUNS > 5_000 ? Date.now() % 2 ** 31 : 20_261_121),
);
/**
 * Of all threads, in the best of ten tries: a machine that is busy with something else is no stall of ours, nor is the
 * collecting of what a test has made before. A stall takes its time at each try.
 */
export const CPU_MAX_MS = 100;
const TRIES = 10;
export const TEN_MB = 10 * 1024 * 1024;
/** How long a test may take, in ms. */
export const PATIENCE_MS = Math.max(120_000, RUNS * 60);
/** As much of an input is shown as one can read. */
const SHOWN_MAX = 2_000;

export type Outcome = 'parsed' | 'refused';
/** What was parsed, with what has to hold for it: looked at when the clock stands still. */
export type Holds = () => void;

/** What was seen of all inputs, each counted once. */
export interface Seen {
  parsed: number;
  refused: number;
}

/** CPU time of this process for `work`, in ms; where it is long, the best of ten tries. */
export function cpuMsOf(work: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < TRIES && best > CPU_MAX_MS; tries += 1) {
    const before = process.cpuUsage();
    work();
    best = Math.min(best, cpuMsSince(before));
  }
  return best;
}

function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

/**
 * Feeds each input once; one that took long is fed again, and only what is slow each time is a stall. Says with
 * which seed, and what it saw. @throws with the input and the seed that bring it back
 */
export async function feed<T>(
  name: string,
  input: fc.Arbitrary<T>,
  attempt: (value: T) => Outcome | Holds | Promise<Outcome>,
): Promise<Seen> {
  const seen: Seen = { parsed: 0, refused: 0 };
  let slowestMs = 0;
  const start = process.cpuUsage();
  const property = fc.asyncProperty(input, async (value) => {
    let best = Number.POSITIVE_INFINITY;
    for (let tries = 0; tries < TRIES && best > CPU_MAX_MS; tries += 1) {
      const before = process.cpuUsage();
      const outcome = await attempt(value);
      best = Math.min(best, cpuMsSince(before));
      if (tries > 0) continue;
      seen[outcome === 'refused' ? outcome : 'parsed'] += 1;
      if (typeof outcome === 'function') outcome();
    }
    slowestMs = Math.max(slowestMs, best);
    if (best > CPU_MAX_MS) throw new Error(`took ${best} ms of CPU, in each of ${TRIES} tries`);
  });
  // Not made smaller: each step of that would be as slow as what it began with.
  const found = await fc.check(property, { numRuns: RUNS, seed: SEED, endOnFailure: true });
  const { counterexamplePath: path, errorInstance: cause } = found;
  if (found.failed)
    throw new Error(`${name}: seed ${SEED}, path ${path}: ${shown(found.counterexample)}`, {
      cause,
    });
  process.stderr.write(
    `fuzz: ${name}: ${RUNS} inputs of seed ${SEED}: ${seen.parsed} parsed, ${seen.refused} refused, ` +
      `the slowest in ${Math.round(slowestMs)} ms, all in ${Math.round(cpuMsSince(start) / 1_000)} s\n`,
  );
  return seen;
}

const shown = (input: unknown): string => {
  const text = fc.stringify(input);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
};

/** A fuzz that is always refused at the door has tested the door alone. */
export function expectBoth({ parsed, refused }: Seen): void {
  expect(parsed).toBeGreaterThan((parsed + refused) / 100);
  expect(refused).toBeGreaterThan((parsed + refused) / 4);
}
