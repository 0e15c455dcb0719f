import type { Classified } from '../../gateway/operation.js';
import { isRefusal } from '../refusals.js';

/** What the stripe package throws, as far as it is looked at: never its `raw`, which holds the provider's body. */
interface StripeErrorShape {
  readonly type?: unknown;
  readonly rawType?: unknown;
  readonly code?: unknown;
  readonly statusCode?: unknown;
  readonly requestId?: unknown;
  readonly headers?: Readonly<Record<string, unknown>>;
}

/**
 * A word of the provider that looks as theirs do, or nothing: an answer may quote our key where a code belongs.
 * Their codes are words of letters alone; a key never is.
 */
const textOf = (value: unknown, form: RegExp): string | undefined =>
  typeof value === 'string' && form.test(value) ? value : undefined;
const CODE = /^[a-z]+(?:_[a-z]+){0,9}$/;
const REQUEST_ID = /^req_[A-Za-z0-9]{1,24}$/;

/**
 * What an error of the stripe package proves. Rules: https://docs.stripe.com/api/idempotent_requests (results are kept
 * once an endpoint has begun, 402 and 500 included; refusals by validation, rate or concurrency are not).
 */
export function classifyStripe(error: unknown): Classified {
  const shape = (typeof error === 'object' && error !== null ? error : {}) as StripeErrorShape;
  const status = typeof shape.statusCode === 'number' ? shape.statusCode : undefined;
  const providerCode = textOf(shape.code, CODE);
  const requestId = textOf(shape.requestId, REQUEST_ID);
  const known = {
    ...(status === undefined ? {} : { status }),
    ...(providerCode === undefined ? {} : { providerCode }),
    ...(requestId === undefined ? {} : { requestId }),
  };
  return { ...verdictOf(status, providerCode, shape), ...known };
}

type Verdict = Pick<Classified, 'proof' | 'code' | 'message'>;

function verdictOf(
  status: number | undefined,
  code: string | undefined,
  shape: StripeErrorShape,
): Verdict {
  if (status === undefined)
    return { proof: 'unknown', code: 'OUTCOME_UNKNOWN', message: 'no answer came' };
  if (status === 402)
    return {
      proof: 'stored-final',
      code: 'PROVIDER_DECLINED',
      message: 'the payment was declined',
    };
  if (shape.rawType === 'idempotency_error' && status === 400)
    return {
      proof: 'unstored-refusal',
      code: 'PROVIDER_CONFLICT',
      message: 'the idempotency key was used for another request',
    };
  if (code === 'idempotency_key_in_use')
    return {
      proof: 'unknown',
      code: 'OUTCOME_UNKNOWN',
      message: 'an earlier attempt with this key is still running',
    };
  if (status === 401 || status === 403)
    return {
      proof: 'unstored-refusal',
      code: 'PROVIDER_AUTH',
      message: 'the credential was refused',
    };
  // A rate limit may come as 400, too; it is in front of what is kept under a key.
  if (status === 409 || status === 429 || code === 'rate_limit')
    return {
      proof: 'unstored-refusal',
      code: 'PROVIDER_UNAVAILABLE',
      message: 'the provider is busy',
    };
  if (isRefusal(status))
    return {
      proof: 'unstored-refusal',
      code: 'PROVIDER_REFUSED',
      message: `the request was refused with ${status}`,
    };
  return status >= 500 && shape.headers?.['idempotent-replayed'] === 'true'
    ? {
        proof: 'stored-500',
        code: 'OUTCOME_UNKNOWN',
        message: 'the provider replays a failure of its own',
      }
    : { proof: 'unknown', code: 'OUTCOME_UNKNOWN', message: 'the provider failed' };
}

/** True when the object that was asked for is not there (404, or 400 `resource_missing`). */
export function isMissing(error: unknown): boolean {
  const { status, providerCode } = classifyStripe(error);
  return status === 404 || providerCode === 'resource_missing';
}
