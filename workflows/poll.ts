const SHORTEST_MS = 2_000;
const LONGEST_MS = 30 * 60_000;

/**
 * How long to wait before looking again at something a person does: a tenth of the time waited so far, in ms.
 * Whoever acts after an hour waits six minutes at most, and nine days of waiting cost under 4,000 events.
 */
export const nextLookMs = (waitedMs: number): number =>
  Math.min(LONGEST_MS, Math.max(SHORTEST_MS, Math.floor(waitedMs / 10)));
