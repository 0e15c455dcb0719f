import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { Failure, FAILURES } from '../domain/errors.js';

/**
 * Turns what an activity threw into what may cross Temporal: a code of the table, our words, no cause.
 * A cause would carry the provider's body (tokens, e-mail addresses) into the history.
 */
export function toTemporal(error: unknown, activity: string): Error {
  if (error instanceof CancelledFailure || error instanceof ApplicationFailure) return error;
  if (error instanceof Failure)
    return ApplicationFailure.create({
      type: error.code,
      message: error.message,
      nonRetryable: !FAILURES[error.code].retry,
      details: [error.details],
      ...(error.retryAfterMs === undefined
        ? {}
        : { nextRetryDelay: Math.max(1, Math.ceil(error.retryAfterMs)) }),
    });
  if (isLostDatabase(error))
    return ApplicationFailure.create({
      type: 'STORE_UNAVAILABLE',
      message: `${activity}: the control database did not answer; it is tried again`,
      nonRetryable: false,
    });
  // A bug. It is tried again, so that a mended worker goes on; its own words stay in the worker's log.
  return ApplicationFailure.create({
    type: 'UNEXPECTED',
    message: `${activity}: unexpected ${nameOf(error)}; the worker's log has the rest`,
    nonRetryable: false,
  });
}

/** True for a failure that the log should hold in full: nobody has foreseen it. */
export const isUnforeseen = (error: unknown): boolean =>
  !(error instanceof CancelledFailure) &&
  !(error instanceof ApplicationFailure) &&
  !(error instanceof Failure) &&
  !isLostDatabase(error);

const nameOf = (error: unknown): string =>
  error instanceof Error ? error.constructor.name : typeof error;

const LOST = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOENT', 'ENOTFOUND']);

/** PostgreSQL's classes 08 and 57P, 53 and 40, and the socket's own codes. */
function isLostDatabase(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof AggregateError) return error.errors.some(isLostDatabase);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (LOST.has(code) || /^(08|53|40)...$|^57P..$/.test(code)) return true;
  return /Connection terminated|timeout exceeded when trying to connect|Query read timeout/.test(
    error.message,
  );
}
