import Cloudflare from 'cloudflare';
import { unbound } from '../send-once.js';
import type { SendOnce, Unbound } from '../send-once.js';

export interface CloudflareCredentials {
  readonly apiToken: string;
  /** Origin of the API, e.g. `https://api.cloudflare.com` or a sandbox on loopback; the path is fixed. */
  readonly origin: string;
}

export const CLOUDFLARE_ORIGIN = 'https://api.cloudflare.com';
const API_PATH = '/client/v4';

/** Longer than any deadline of ours, so that ours alone ends a request. In ms. */
const SDK_TIMEOUT_MS = 10 * 60_000;

/** A client for one attempt: every option explicit, nothing from the environment, no retries, one send a call. */
export const cloudflareClient = (
  credentials: CloudflareCredentials,
  send: Omit<SendOnce, 'origin'>,
): Cloudflare => unboundCloudflare(credentials).bind(send);

/** The same, made before it is known by whose leave it sends: making it takes some ms. */
export function unboundCloudflare(credentials: CloudflareCredentials): Unbound<Cloudflare> {
  const { origin } = new URL(credentials.origin);
  return unbound(
    origin,
    (wire) =>
      new Cloudflare({
        apiToken: credentials.apiToken,
        apiKey: null,
        apiEmail: null,
        userServiceKey: null,
        baseURL: `${origin}${API_PATH}`,
        timeout: SDK_TIMEOUT_MS,
        maxRetries: 0,
        logLevel: 'off',
        fetch: wire,
        fetchOptions: {},
        defaultHeaders: {},
        defaultQuery: {},
      }),
  );
}
