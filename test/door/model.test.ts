import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { verifyLog } from '../../store/log.js';
import { explore } from './explore.js';
import { openScratch, type Scratch } from './seed.js';

/** MODEL_SCHEDULES=5000 explores further, MODEL_SEED=123 repeats one schedule and prints it. */
const SCHEDULES = Number(process.env['MODEL_SCHEDULES'] ?? 450);
const SEED = process.env['MODEL_SEED'];
const FIRST = Number(process.env['MODEL_FIRST'] ?? 1);

let scratch: Scratch;

beforeAll(async () => {
  scratch = await openScratch();
});
afterAll(async () => {
  await scratch.close();
});

test(
  'over random schedules on the real door no invariant of the model is violated',
  async () => {
    const ends = new Map<string, number>();
    const seeds =
      SEED === undefined
        ? Array.from({ length: SCHEDULES }, (_, index) => FIRST + index)
        : [Number(SEED)];
    for (const seed of seeds) {
      const { violations, trace, profile, ends: reached } = await explore(scratch, seed);
      if (SEED !== undefined) console.log(trace.join('\n'));
      if (violations.length > 0)
        throw new Error(
          `seed ${seed} (${profile}) violates ${violations.join(', ')}; repeat it with MODEL_SEED=${seed}\n${trace.join('\n')}`,
        );
      const end = reached.join('+') || 'none';
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
    // The exploration is worth something only if runs end in both ways.
    if (SEED === undefined) {
      expect(ends.get('completed') ?? 0).toBeGreaterThan(0);
      expect(ends.get('reversed') ?? 0).toBeGreaterThan(0);
    }
    expect(await verifyLog(scratch.db)).toHaveProperty('entries');
  },
  20 * 60_000,
);
