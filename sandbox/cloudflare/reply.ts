import { createHash, randomBytes } from 'node:crypto';

/** A refusal in Cloudflare's envelope. `code` is Cloudflare's, `status` is HTTP's. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: number,
    message: string,
    readonly more: {
      pointer?: string;
      chain?: { code: number; message: string }[];
      /** Said only in a header of the sandbox's own, for whoever debugs a test. */
      reason?: string;
    } = {},
  ) {
    super(message);
  }
}

export interface ResultInfo {
  count?: number;
  page?: number;
  per_page?: number;
  total_count?: number;
  total_pages?: number;
  cursor?: string;
}

/** What an endpoint answers; `bare` replaces the whole envelope. */
export interface Reply {
  status?: number;
  result: unknown;
  info?: ResultInfo;
  messages?: { code: number; message: string }[];
  headers?: Record<string, string>;
  bare?: Response;
}

export const ok = (result: unknown, status = 200): Reply => ({ status, result });

/** A page of `items` as `page` and `per_page` ask; the page after the last is empty. */
export function page(
  items: readonly unknown[],
  query: URLSearchParams,
  perPageDefault = 20,
): Reply {
  const per = clamp(Number(query.get('per_page') ?? perPageDefault), 1, 5000, perPageDefault);
  const at = clamp(Number(query.get('page') ?? 1), 1, Number.MAX_SAFE_INTEGER, 1);
  const result = items.slice((at - 1) * per, at * per);
  const info = {
    page: at,
    per_page: per,
    count: result.length,
    total_count: items.length,
    total_pages: Math.ceil(items.length / per),
  };
  return { result, info };
}

/** A list without pages: all of it in one answer. */
export const single = (items: unknown[]): Reply => ({
  result: items,
  info: { count: items.length, page: 1, per_page: items.length, total_count: items.length },
});

/** A page behind an opaque cursor; the last page's cursor is the empty string. */
export function cursorPage(items: unknown[], query: URLSearchParams): Reply {
  const per = clamp(Number(query.get('per_page') ?? 20), 1, 50, 20);
  const cursor = query.get('cursor');
  const from = cursor === null || cursor === '' ? 0 : offsetOf(cursor);
  const result = items.slice(from, from + per);
  const next =
    from + per < items.length ? Buffer.from(String(from + per)).toString('base64url') : '';
  return { result, info: { count: result.length, per_page: per, cursor: next } };
}

function offsetOf(cursor: string): number {
  const offset = Number(Buffer.from(cursor, 'base64url').toString());
  if (!Number.isInteger(offset) || offset < 0) throw new Refusal(400, 10000, 'Invalid cursor');
  return offset;
}

const clamp = (value: number, low: number, high: number, otherwise: number): number =>
  Number.isInteger(value) && value >= low ? Math.min(value, high) : otherwise;

const rayOf = (): string => `${randomBytes(8).toString('hex')}-SBX`;

/** The marks that every answer of the API bears, refusals too. */
const marks = (): Record<string, string> => ({
  'cf-ray': rayOf(),
  ratelimit: '"default";r=50;t=30',
  'ratelimit-policy': '"burst";q=100;w=60',
});

/** `none` is how the world says on a list that there are no errors. */
export function answer(reply: Reply, none: 'empty' | 'null'): Response {
  const headers = new Headers({ ...marks(), ...reply.headers });
  if (reply.bare) {
    for (const [name, value] of headers) reply.bare.headers.set(name, value);
    return reply.bare;
  }
  return Response.json(
    {
      success: true,
      errors: reply.info && none === 'null' ? null : [],
      messages: reply.messages ?? [],
      result: reply.result,
      ...(reply.info ? { result_info: reply.info } : {}),
    },
    { status: reply.status ?? 200, headers },
  );
}

export function refuse(refusal: Refusal, headers: Record<string, string> = {}): Response {
  const { pointer, chain, reason } = refusal.more;
  const error = {
    code: refusal.code,
    message: refusal.message,
    ...(pointer ? { source: { pointer } } : {}),
    ...(chain ? { error_chain: chain } : {}),
  };
  return Response.json(
    { success: false, errors: [error], messages: [], result: null },
    {
      status: refusal.status,
      headers: {
        ...marks(),
        ...headers,
        ...(reason ? { 'x-countersign-sandbox-reason': reason } : {}),
      },
    },
  );
}

/** Cloudflare's identifiers: 32 hexadecimal characters. */
export const hexId = (): string => randomBytes(16).toString('hex');

/** An identifier that depends on nothing but its words. */
export const fixedId = (words: string): string =>
  createHash('sha256').update(words).digest('hex').slice(0, 32);

export const isHexId = (text: string): boolean => /^[0-9a-f]{32}$/.test(text);

export const sha256 = (data: string | Uint8Array): string =>
  createHash('sha256').update(data).digest('hex');

/** RFC 3339 with microseconds, as the API writes times. */
export const timestamp = (ms: number): string => new Date(ms).toISOString().replace('Z', '000Z');

/** Cents as the decimal string of the registrar's price lists. */
export const decimal = (minor: number): string =>
  `${Math.trunc(minor / 100)}.${String(minor % 100).padStart(2, '0')}`;
