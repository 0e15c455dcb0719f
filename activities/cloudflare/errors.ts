import type { Classified } from '../../gateway/operation.js';
import { isRefusal } from '../refusals.js';

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

/** The id of the request, if it is one: a header may quote our token. */
function rayOf(headers: unknown): string | undefined {
  const ray = headers instanceof Headers ? headers.get('cf-ray') : null;
  return ray !== null && /^[0-9a-f]{16}(?:-[A-Z]{3})?$/.test(ray) ? ray : undefined;
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
  // "An unknown error has occurred": a lock in their database, whatever the status says.
  if (code === 10013)
    return { proof: 'unknown', code: 'OUTCOME_UNKNOWN', message: 'the provider failed' };
  if (isRefusal(status))
    return {
      proof: 'unstored-refusal',
      code: 'PROVIDER_REFUSED',
      message: `the request was refused with ${status}${code === undefined ? '' : ` (${code})`}`,
    };
  return { proof: 'unknown', code: 'OUTCOME_UNKNOWN', message: 'the provider failed' };
}

/** A word of theirs in the form that their codes have, or `unknown`: such words get into histories and plans. */
export const codeWord = (value: string | undefined): string =>
  value !== undefined && /^[a-z]+(?:_[a-z]+){0,9}$/.test(value) ? value : 'unknown';

/** Codes of "not there": route, record, script, version, domain. */
const MISSING = new Set([7003, 81044, 10007, 100114]);
/** "Unauthorized to access requested resource": an account or zone that is not there, or no longer open to us. */
const INVISIBLE = '9109';

/**
 * True when what was asked for is not there. A thing that may no longer be seen is not gone: taken for absent, a
 * Worker would be called deleted because its owner has shut us out.
 */
export function isMissing(error: unknown): boolean {
  const { status, providerCode } = classifyCloudflare(error);
  return status === 404 || (providerCode !== undefined && MISSING.has(Number(providerCode)));
}

/** Runs a read; `undefined` when what it asks for is not there. */
export const orMissing = <T>(read: () => Promise<T>): Promise<T | undefined> =>
  unless(isMissing, read);

/** Runs a read; `undefined` when what it asks for is not there, or not open to us. */
export const orInvisible = <T>(read: () => Promise<T>): Promise<T | undefined> =>
  unless((error) => isMissing(error) || classifyCloudflare(error).providerCode === INVISIBLE, read);

async function unless<T>(
  harmless: (error: unknown) => boolean,
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (harmless(error)) return undefined;
    throw error;
  }
}
