import {
  ActivityFailure,
  ApplicationFailure,
  isCancellation,
  TimeoutFailure,
} from '@temporalio/workflow';
import { FAILURES } from '../domain/errors.js';
import type { FailureCode } from '../domain/errors.js';

/** What an activity ended with, as the executor understands it. */
export interface Ended {
  readonly code: FailureCode | 'CANCELLED';
  readonly message: string;
}

/**
 * The code and words of an activity's failure. A timeout may hide a success, so it is `OUTCOME_UNKNOWN`.
 * Anything that no activity of ours throws is a bug: it is thrown on, so that the workflow task stalls visibly.
 */
export function failureOf(error: unknown): Ended {
  if (isCancellation(error)) return { code: 'CANCELLED', message: 'cancelled' };
  if (error instanceof ActivityFailure) {
    const { cause } = error;
    if (cause instanceof ApplicationFailure) return ofApplication(cause);
    if (cause instanceof TimeoutFailure)
      return {
        code: 'OUTCOME_UNKNOWN',
        message: `${error.activityType}: no answer within its time (${cause.timeoutType})`,
      };
  }
  throw error;
}

function ofApplication({ type, message }: ApplicationFailure): Ended {
  const known = type !== null && type !== undefined && Object.hasOwn(FAILURES, type);
  return { code: known ? (type as FailureCode) : 'OUTCOME_UNKNOWN', message };
}
