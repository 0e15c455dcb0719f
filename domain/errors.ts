/** Who can act on a failure. */
export type Blame = 'request' | 'governance' | 'provider' | 'operator' | 'person';

/**
 * The whole taxonomy of failures that cross Temporal. Codes are append-only: histories hold them.
 * `retry` is the only place that says whether Temporal may try again.
 */
export const FAILURES = {
  REQUEST_INVALID: { retry: false, blame: 'request' },
  ADMISSION_REFUSED: { retry: false, blame: 'governance' },
  RUN_UNKNOWN: { retry: false, blame: 'request' },
  POLICY_DENIED: { retry: false, blame: 'governance' },
  POLICY_MISSING: { retry: false, blame: 'operator' },
  BUDGET_EXCEEDED: { retry: false, blame: 'governance' },
  GATE_NEEDED: { retry: false, blame: 'governance' }, // no live grant covers this digest
  GRANT_VOID: { retry: false, blame: 'governance' }, // there was one; the action or the rule has changed
  APPROVAL_REJECTED: { retry: false, blame: 'governance' },
  APPROVAL_EXPIRED: { retry: false, blame: 'governance' }, // silence is never consent
  FENCED: { retry: false, blame: 'governance' },
  DOOR_CLOSED: { retry: false, blame: 'governance' },
  OUT_OF_ORDER: { retry: false, blame: 'governance' },
  NO_CAUSE: { retry: false, blame: 'governance' }, // a reversal without a recorded cause
  NEEDS_INPUT: { retry: false, blame: 'person' },
  PROVIDER_REFUSED: { retry: false, blame: 'provider' }, // final: surely nothing was done
  PROVIDER_DECLINED: { retry: false, blame: 'person' }, // 402: the payment method was declined
  PROVIDER_CONFLICT: { retry: false, blame: 'provider' }, // same key, different request: our bug
  PROVIDER_AUTH: { retry: false, blame: 'operator' },
  PROVIDER_UNAVAILABLE: { retry: true, blame: 'provider' }, // surely did not act
  OUTCOME_UNKNOWN: { retry: true, blame: 'provider' }, // may have acted
  VERIFICATION_FAILED: { retry: false, blame: 'provider' },
  USED_BY_OTHERS: { retry: false, blame: 'person' }, // a reversal would take away what others rely on
  COMPENSATION_FAILED: { retry: false, blame: 'operator' },
  BUNDLE_DAMAGED: { retry: false, blame: 'operator' }, // stored bytes that are not what their digest names
  STORE_UNAVAILABLE: { retry: true, blame: 'operator' },
  PROVIDER_WAITS: { retry: false, blame: 'provider' }, // nothing was begun: the run waits, outside of its step's time
  BUSY: { retry: true, blame: 'provider' }, // another sender holds the row, or the wait after it is not over
} as const satisfies Record<string, { retry: boolean; blame: Blame }>;

export type FailureCode = keyof typeof FAILURES;

/**
 * A failure with a code of the table. The message says what was tried, on what, and what was seen;
 * it never holds a token, a card or an e-mail address, and never a provider's own error body.
 */
export class Failure extends Error {
  override readonly name = 'Failure';
  constructor(
    readonly code: FailureCode,
    message: string,
    readonly details: Readonly<Record<string, string | number | boolean>> = {},
    /** When Temporal may try again, in ms; absent: its own back-off. */
    readonly retryAfterMs?: number,
  ) {
    super(message);
  }
}

/** A broken invariant is a bug: a plain Error, so that the workflow task stalls and can be mended. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (condition === false || condition === null || condition === undefined)
    throw new Error(`invariant: ${message}`);
}
