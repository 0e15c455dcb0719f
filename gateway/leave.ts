import type { Clocks, Mark } from './deadline.js';
import { mark } from './deadline.js';

/** The door's word is good for so long by itself; a sender that was held up longer asks again. In ms. */
export const LEAVE_MS = 250;

/** The door's word that a sender may send, as old as it is. */
export interface Leave {
  /** Is it too old to send by? Looked at in the tick of sending. */
  isStale(): boolean;
  /** Asks the door again; false: a stop, another attempt or an unwinding has come in between. @throws STORE_UNAVAILABLE */
  renewed(): Promise<boolean>;
}

/** The leave of a grant, as old as the mark taken before the door was asked for it. */
export function leaveSince(before: Mark, clocks: Clocks, ask: () => Promise<boolean>): Leave {
  let fresh = before.deadlineAfter(LEAVE_MS);
  return {
    isStale: () => fresh.leftMs() <= 0,
    renewed: async () => {
      const asked = mark(clocks);
      const still = await ask();
      fresh = asked.deadlineAfter(LEAVE_MS);
      return still;
    },
  };
}
