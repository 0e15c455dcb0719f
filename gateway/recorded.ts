import type { Failure } from '../domain/errors.js';

const recorded = new WeakSet<Failure>();

/** Marks a refusal that the door has recorded itself, so that it is not recorded twice. */
export function recordedAlready(failure: Failure): Failure {
  recorded.add(failure);
  return failure;
}

export const isRecorded = (failure: Failure): boolean => recorded.has(failure);
