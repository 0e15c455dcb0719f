import type { Truth } from '../../sandbox/control-client.js';

type Request = Truth['requests'][number];

const line = ({ seq, method, path }: Request): string => `${seq} ${method} ${path}`;

/** Idempotency keys that went over the wire more than once, with the requests that carried them. */
export function keysSentTwice({ requests }: Truth): readonly string[] {
  const sent = new Map<string, string[]>();
  for (const request of requests) {
    const key = request.headers['idempotency-key'];
    if (key !== undefined && request.method !== 'GET')
      sent.set(key, [...(sent.get(key) ?? []), line(request)]);
  }
  return [...sent].flatMap(([key, lines]) => (lines.length > 1 ? [`${key}: ${lines.join()}`] : []));
}

/** Requests that an SDK says it sends again by itself. */
export function retriedBySdk({ requests }: Truth): readonly string[] {
  return requests
    .filter(({ headers }) => (headers['x-stainless-retry-count'] ?? '0') !== '0')
    .map(line);
}
