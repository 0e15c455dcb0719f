/** The four wire types of the provider's errors. */
export type ProblemType =
  'api_error' | 'card_error' | 'idempotency_error' | 'invalid_request_error';

interface ProblemDetails {
  readonly type: ProblemType;
  readonly code?: string | undefined;
  readonly declineCode?: string | undefined;
  readonly param?: string | undefined;
  readonly paymentIntent?: unknown;
}

/** An answer that is no success: thrown by handlers, rendered as the provider's error envelope. */
export class StripeProblem extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly details: ProblemDetails,
  ) {
    super(message);
    this.name = 'StripeProblem';
  }

  /** The error envelope; `requestId` goes into the link to the request's log. */
  envelope(requestId: string): { error: Record<string, unknown> } {
    const { type, code, declineCode, param, paymentIntent } = this.details;
    return {
      error: {
        ...(code === undefined ? {} : { code }),
        ...(declineCode === undefined ? {} : { decline_code: declineCode }),
        ...(code === undefined ? {} : { doc_url: `https://stripe.com/docs/error-codes/${code}` }),
        message: this.message,
        ...(param === undefined ? {} : { param }),
        ...(paymentIntent === undefined ? {} : { payment_intent: paymentIntent }),
        request_log_url: `https://dashboard.stripe.com/test/logs/${requestId}?t=0`,
        type,
      },
    };
  }
}

/** 400: the parameters are wrong, or the state does not allow it. */
export function invalid(message: string, param?: string, code?: string): StripeProblem {
  return new StripeProblem(400, message, { type: 'invalid_request_error', code, param });
}

/** 404 `resource_missing`. */
export function missing(what: string, id: string, param = 'id'): StripeProblem {
  return new StripeProblem(404, `No such ${what}: '${id}'`, {
    type: 'invalid_request_error',
    code: 'resource_missing',
    param,
  });
}

/**
 * 402: the issuer said no. Stored under the idempotency key, as every answer of a begun
 * execution.
 */
export function declined(paymentIntent?: unknown): StripeProblem {
  return new StripeProblem(402, 'Your card was declined.', {
    type: 'card_error',
    code: 'card_declined',
    declineCode: 'generic_decline',
    paymentIntent,
  });
}

/** 501: the real service does this and the stand-in does not. It never invents an answer. */
export function notDone(what: string): StripeProblem {
  return new StripeProblem(501, `The sandbox does not do this: ${what}`, {
    type: 'api_error',
    code: 'sandbox_not_implemented',
  });
}
