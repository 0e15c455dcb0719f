import { RunIdTaken, TemporalUnreachable } from '../client/errors.js';
import { asStoreFailure } from '../store/failures.js';
import { Failure } from '../domain/errors.js';
import type { FailureCode } from '../domain/errors.js';

/** An answer of RFC 9457. `code` is append-only; `detail` never holds a token, an address of a person or a stack. */
export class Problem extends Error {
  override readonly name = 'Problem';
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not found',
  405: 'Method not allowed',
  409: 'Conflict',
  413: 'Content too large',
  415: 'Unsupported media type',
  421: 'Misdirected request',
  422: 'Unprocessable content',
  503: 'Service unavailable',
};

/** How each failure of the product is answered. */
const STATUS: Partial<Record<FailureCode, number>> = {
  REQUEST_INVALID: 400,
  ADMISSION_REFUSED: 403,
  RUN_UNKNOWN: 404,
  BUNDLE_DAMAGED: 422,
  POLICY_MISSING: 503,
  STORE_UNAVAILABLE: 503,
};

/** Whatever was thrown as a problem; undefined: nobody foresaw it, and nothing of it is told. */
export function problemOf(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error;
  if (error instanceof RunIdTaken)
    return new Problem(409, 'run-id-taken', 'this run id is taken; choose another');
  // What was recorded stands: the same key may ask again.
  if (error instanceof TemporalUnreachable)
    return new Problem(503, 'temporal-unreachable', 'Temporal does not answer; ask again');
  const known = asStoreFailure(error);
  if (!(known instanceof Failure)) return undefined;
  const status = STATUS[known.code] ?? 409;
  return new Problem(status, known.code.toLowerCase().replaceAll('_', '-'), known.message);
}

export function problemResponse({ code, headers, message, status }: Problem): Response {
  return Response.json(
    { type: 'about:blank', title: TITLES[status] ?? 'Defect', status, code, detail: message },
    { status, headers: { ...headers, 'content-type': 'application/problem+json' } },
  );
}

export const defect = (): Problem =>
  new Problem(500, 'defect', 'something here is broken; its log says what');
