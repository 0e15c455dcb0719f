import { setTimeout as pause } from 'node:timers/promises';

const LOOK_MS = 50;
const PATIENCE_MS = 120_000;

export class StoryFailed extends Error {
  override readonly name = 'StoryFailed';
}

/** Asks until it is as wanted; a worker that is away for a moment is waited for. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined>,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline)
      throw new StoryFailed(`waited ${patienceMs / 1000} s in vain for ${what}`);
    await pause(LOOK_MS);
  }
}
