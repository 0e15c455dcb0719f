import { Failure } from '../domain/errors.js';

/** SQLSTATE of an error of the database, or Node's code of a lost connection. */
export function sqlState(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Raised by our own functions: see store/door-sql. */
export const STATES = {
  isolation: 'CS001',
  cap: 'CS002',
  cause: 'CS003',
  bounds: 'CS004',
  busy: 'CS005',
  forbidden: 'CS010',
} as const;

const TRANSIENT =
  /^(08|53|57P|57014|40001|40P01|55P03|ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EHOSTUNREACH|ENOENT)/;

/**
 * An error of the store as a Failure: what may be tried again becomes STORE_UNAVAILABLE; anything else is
 * a broken invariant and is rethrown as it is.
 */
export function asStoreFailure(error: unknown): unknown {
  if (error instanceof Failure) return error;
  const state = sqlState(error);
  const message = error instanceof Error ? error.message : '';
  const lost = /timeout|terminated|Connection ended|not queryable/i.test(message);
  if ((state !== undefined && TRANSIENT.test(state)) || (state === undefined && lost))
    return new Failure(
      'STORE_UNAVAILABLE',
      `the control database did not answer (${state ?? 'connection lost'}); it is tried again`,
    );
  return error;
}
