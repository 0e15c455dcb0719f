import { fingerprintOf } from './credentials.js';
import type { ProviderName } from './credentials.js';

/**
 * One request that a provider port received, as `truth` shows it. Times in ms of the world's
 * clock.
 */
export interface RequestRecord {
  /** Counts up within a world. */
  readonly seq: number;
  readonly at: number;
  readonly provider: ProviderName;
  readonly role: string;
  readonly method: string;
  readonly path: string;
  /** The query string, without `?`. */
  readonly query: string;
  /** Lower-case names; a credential appears as its fingerprint. */
  readonly headers: Record<string, string>;
  /** The body as text, cut at 16 KiB. */
  readonly body: string;
  readonly bodyBytes: number;
  /** The status answered; null while none was, and for ever if the socket was dropped. */
  status: number | null;
  /** Which fault was applied. */
  fault?: string;
  /** The provider's own id of this request. */
  requestId?: string;
}

const BODY_LIMIT_CHARS = 16_384;
/** How many requests a world remembers; beyond it the oldest go. */
export const REQUESTS_KEPT = 20_000;

const SECRET_HEADERS = new Set([
  'authorization',
  'x-auth-key',
  'x-auth-user-service-key',
  'cookie',
]);

/** Headers as they may be stored: each credential replaced by its fingerprint. */
export function storableHeaders(headers: Headers): Record<string, string> {
  const stored: Record<string, string> = {};
  headers.forEach((value, name) => {
    stored[name] = SECRET_HEADERS.has(name)
      ? `fingerprint ${fingerprintOf(value.replace(/^\S+\s+/, ''))}`
      : value;
  });
  return stored;
}

/**
 * A body as it may be stored: text, cut at the limit; bytes that are no text say only their
 * number.
 */
export function storableBody(bytes: Uint8Array): string {
  const head = bytes.subarray(0, BODY_LIMIT_CHARS);
  const text = new TextDecoder('utf-8').decode(head);
  return text.includes('\u0000') ? `(${bytes.length} bytes that are no text)` : text;
}
