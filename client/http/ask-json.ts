import { z } from 'zod';
import { HttpUnreachable } from './errors.js';

const TIMEOUT_MS = 30_000;
const ANSWER_BYTES_MAX = 4 * 1_024 * 1_024;
const LOOPBACK = /^(127(\.\d{1,3}){3}|localhost|\[::1\])$/;

/** May a token or a password be sent there? Only over TLS, or without leaving this machine. */
export function isSafeAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { hostname, password, protocol, username } = new URL(text);
  if (username !== '' || password !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && LOOPBACK.test(hostname));
}

export interface JsonAnswer {
  readonly status: number;
  readonly json: unknown;
}

/** Asks for JSON, once; redirects are refused, for a token would follow them. @throws HttpUnreachable */
export async function askJson(
  url: string,
  of: {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  } = {},
): Promise<JsonAnswer> {
  // guard: no token and no password ever goes out in the clear.
  if (!isSafeAddress(url)) throw new HttpUnreachable(url, 'only https is asked, or this machine');
  const { body, headers, method = 'GET' } = of;
  try {
    const answer = await fetch(url, {
      method,
      redirect: 'error',
      headers: { accept: 'application/json', ...headers, connection: 'close' },
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body === undefined ? {} : { body }),
    });
    return { status: answer.status, json: await jsonOf(answer) };
  } catch (error) {
    throw new HttpUnreachable(new URL(url).origin, reasonOf(error));
  }
}

async function jsonOf(answer: Response): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (answer.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > ANSWER_BYTES_MAX) throw new Error('too long an answer');
    chunks.push(chunk);
  }
  if (bytes === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new Error(`status ${answer.status}, and no JSON`);
  }
}

const causeSchema = z.object({ cause: z.object({ code: z.string() }) });

function reasonOf(error: unknown): string {
  const known = causeSchema.safeParse(error);
  if (known.success) return known.data.cause.code;
  return error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'no answer';
}
