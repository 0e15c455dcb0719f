/**
 * Statuses that say a request was not taken on at all. Any other, 408 and 499 too, says only that no answer came in time:
 * what the request did nobody knows.
 */
const REFUSALS: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 409, 413, 415, 422, 429]);

/** Does this status prove that the request did nothing? */
export const isRefusal = (status: number): boolean => REFUSALS.has(status);
