/**
 * A world's time: the real clock plus what the control port advanced. It runs by itself, so a
 * delay of a provider passes both by waiting and by advancing, and it never goes back.
 */
export class VirtualClock {
  #aheadMs: number;

  constructor(aheadMs = 0) {
    this.#aheadMs = aheadMs;
  }

  /** How far this clock is ahead of the real one, in ms. */
  get aheadMs(): number {
    return this.#aheadMs;
  }

  /** Virtual now in ms since the epoch. */
  now(): number {
    return Date.now() + this.#aheadMs;
  }

  /**
   * Moves the clock forward by `ms`. @throws RangeError unless `ms` is a whole number of at
   * least 0.
   */
  advance(ms: number): void {
    if (!Number.isSafeInteger(ms) || ms < 0) {
      throw new RangeError(`the clock advances by whole milliseconds of at least 0, not by ${ms}`);
    }
    this.#aheadMs += ms;
  }

  /** Back to the real clock: for a world that is emptied. */
  reset(): void {
    this.#aheadMs = 0;
  }
}
