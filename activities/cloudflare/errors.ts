import type { Classified } from '../../gateway/operation.js';

interface CloudflareErrorShape {
  readonly status?: unknown;
  readonly errors?: unknown;
  readonly headers?: unknown;
}

/** The first code of the answer's `errors` array; the SDK's `message` holds the whole body and is never read. */
function codeOf(shape: CloudflareErrorShape): number | undefined {
  if (!Array.isArray(shape.errors)) return undefined;
  const [first] = shape.errors as unknown[];
  if (typeof first !== 'object' || first === null || !('code' in first)) return undefined;
  return typeof first.code === 'number' ? first.code : undefined;
}

function rayOf(headers: unknown): string | undefined {
  if (!(headers instanceof Headers)) return undefined;
  return headers.get('cf-ray') ?? undefined;
}

/**
 * What an error of the cloudflare package proves. No call that we make is kept under a key for sure, so nothing is
 * `stored`: a refusal says that this request did nothing, anything else that nobody knows.
 */
export function classifyCloudflare(error: unknown): Classified {
  const shape = (typeof error === 'object' && error !== null ? error : {}) as CloudflareErrorShape;
  const status = typeof shape.status === 'number' ? shape.status : undefined;
  const code = codeOf(shape);
  const requestId = rayOf(shape.headers);
  return {
    ...verdictOf(status, code),
    ...(status === undefined ? {} : { status }),
    ...(code === undefined ? {} : { providerCode: String(code) }),
    ...(requestId === undefined ? {} : { requestId }),
  };
}

type Verdict = Pick<Classified, 'proof' | 'code' | 'message'>;

function verdictOf(status: number | undefined, code: number | undefined): Verdict {
  if (status === undefined)
    return { proof: 'unknown', code: 'OUTCOME_UNKNOWN', message: 'no answer came' };
  if (status === 401 || status === 403)
    return {
      proof: 'unstored-refusal',
      code: 'PROVIDER_AUTH',
      message: 'the token was refused',
    };
  if (status === 429)
    return {
      proof: 'unstored-refusal',
      code: 'PROVIDER_UNAVAILABLE',
      message: 'too many requests',
    };
  if (status === 409 && code === undefined)
    return {
      proof: 'unstored-refusal',
      code: 'PROVIDER_UNAVAILABLE',
      message: 'it conflicts with something under way',
    };
  if (status >= 400 && status < 500)
    return {
      proof: 'unstored-refusal',
      code: 'PROVIDER_REFUSED',
      message: `the request was refused with ${status}${code === undefined ? '' : ` (${code})`}`,
    };
  return { proof: 'unknown', code: 'OUTCOME_UNKNOWN', message: 'the provider failed' };
}

/** Codes of "not there": route, zone, record, script, version, domain. */
const MISSING = new Set([7003, 9109, 81044, 10007, 100114]);

/** True when what was asked for is not there. */
export function isMissing(error: unknown): boolean {
  const { status, providerCode } = classifyCloudflare(error);
  return status === 404 || (providerCode !== undefined && MISSING.has(Number(providerCode)));
}

/** Runs a read; `undefined` when what it asks for is not there. */
export async function orMissing<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
