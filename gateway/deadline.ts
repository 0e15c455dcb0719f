/** The two clocks of a process. A stalled process may see one of them stand still: both are asked. */
export interface Clocks {
  /** Milliseconds since the epoch. */
  wallMs(): number;
  /** Milliseconds of a clock that never goes back. */
  monotonicMs(): number;
}

export const PROCESS_CLOCKS: Clocks = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/** A moment after which nothing may be sent, kept on wall and monotonic clock; the earlier one counts. */
export interface Deadline {
  /** Milliseconds left; 0 or less when it has passed. */
  leftMs(): number;
}

/** A mark taken *before* a call whose answer says how much time is left, so that its travel time is not given away. */
export interface Mark {
  /** The deadline `remainingMs` after the mark. */
  deadlineAfter(remainingMs: number): Deadline;
}

export function mark(clocks: Clocks): Mark {
  const wall = clocks.wallMs();
  const monotonic = clocks.monotonicMs();
  return {
    deadlineAfter: (remainingMs) => ({
      leftMs: () =>
        Math.min(
          wall + remainingMs - clocks.wallMs(),
          monotonic + remainingMs - clocks.monotonicMs(),
        ),
    }),
  };
}

/** A deadline `ms` from now. */
export function deadlineIn(ms: number, clocks: Clocks): Deadline {
  return mark(clocks).deadlineAfter(ms);
}
