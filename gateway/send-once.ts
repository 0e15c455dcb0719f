import { createHash } from 'node:crypto';
import * as http from 'node:http';
import * as net from 'node:net';
import * as tls from 'node:tls';
import type { Deadline } from './deadline.js';
import type { Leave } from './leave.js';

/**
 * One HTTP request, sent at most once, under one deadline that covers connecting, headers and body.
 *
 * It is our own client on a socket of its own rather than the platform's `fetch`, because `fetch` connects and
 * writes in one go: name look-up, TCP and TLS may take seconds after the caller's last look at the clock. Here the
 * socket is connected first, the deadline is looked at on that connected socket, and the first byte is handed to the
 * kernel in the same tick. No socket is ever reused, so that no request dies on one the server has closed, and
 * nothing is retried. What remains is the time between that tick and the provider's reading of the bytes: the
 * settling times account for it.
 */
export interface Transmission {
  /** Requests whose first byte was handed to the kernel. 0 proves that a failure left nothing behind. */
  begun: number;
  /** Digests of the requests that change something and have begun: none of them is sent again. */
  readonly changes?: Set<string>;
}

/** The request surely never left: no address, no connection, or no time left to send in. */
export class NotSent extends Error {
  override readonly name = 'NotSent';
  constructor(
    message: string,
    /** Not named `code`: stripe's client sends again, whatever it is told, on an error whose code is ECONNRESET. */
    readonly reason: string,
  ) {
    super(message);
  }
}

/** The request left, and no whole answer came before the deadline. */
export class AnswerLost extends Error {
  override readonly name = 'AnswerLost';
  constructor(
    message: string,
    readonly reason: string,
  ) {
    super(message);
  }
}

export interface SendOnce {
  readonly deadline: Deadline;
  readonly transmission: Transmission;
  /** The door's word, where it gave one: asked for again on the connected socket where it has grown old. */
  readonly leave?: Leave | undefined;
  /** Ends a request that only reads; never given for one that changes anything (EFFECTS: it runs to its `send_by`). */
  readonly signal?: AbortSignal;
  /** Where every request must go; another origin is refused before a connection is made. */
  readonly origin: string;
  /** Asked before anything is connected: every request takes its turn, reads among them. */
  readonly turn?: () => Promise<void>;
  /** Told what came of it: the status, or why there was none. */
  readonly onEnd?: (met: number | NotSent | AnswerLost) => void;
  /** Called when a response has arrived whole. */
  readonly onResponse?: (status: number, headers: Headers) => void;
}

type FetchInput = string | URL | Request;

/** A `fetch` for an SDK. @throws NotSent, AnswerLost */
export function sendOnce(options: SendOnce): typeof fetch {
  return async (input: FetchInput, init?: RequestInit) => {
    const request = new Request(input, { ...init, signal: null });
    const url = new URL(request.url);
    if (url.origin !== options.origin)
      throw new NotSent(
        `refused to send to ${url.origin}: this client sends to one origin only`,
        'EORIGIN',
      );
    const bytes = Buffer.from(await request.arrayBuffer());
    refuseTwice(request, bytes, options.transmission);
    await options.turn?.();
    try {
      const response = await connected(url, options, async (socket) => {
        // guard: whoever was frozen since the door's word asks again, and sends in the tick of a fresh one.
        while (options.leave?.isStale() === true) await renewed(options.leave, socket, options);
        return exchange({ request, url, bytes, socket, options });
      });
      options.onEnd?.(response.status);
      return response;
    } catch (error) {
      if (error instanceof NotSent || error instanceof AnswerLost) options.onEnd?.(error);
      throw error;
    }
  };
}

/** An SDK's client that is made before it is known by whose leave it sends: it serves one attempt. */
export interface Unbound<Client> {
  bind(send: Omit<SendOnce, 'origin'>): Client;
}

/** Makes one over a `fetch` that goes nowhere until it is bound. @throws NotSent, AnswerLost */
export function unbound<Client>(
  origin: string,
  make: (wire: typeof fetch) => Client,
): Unbound<Client> {
  let bound: typeof fetch | undefined;
  const client = make((input, init) =>
    bound === undefined
      ? Promise.reject(new NotSent('nobody has asked for this request', 'EDOOR'))
      : bound(input, init),
  );
  return {
    bind: (send) => {
      bound = sendOnce({ ...send, origin });
      return client;
    },
  };
}

/** Whatever an SDK does on its own account, the same change is asked for once an attempt. */
function refuseTwice(request: Request, bytes: Buffer, { changes }: Transmission): void {
  if (changes === undefined || request.method === 'GET' || request.method === 'HEAD') return;
  const digest = createHash('sha256')
    .update(`${request.method} ${request.url}\n`)
    .update(bytes)
    .digest('hex');
  if (changes.has(digest))
    throw new AnswerLost('the same request had been sent in this attempt already', 'ETWICE');
  changes.add(digest);
}

async function connected<T>(
  url: URL,
  options: SendOnce,
  body: (socket: net.Socket) => Promise<T>,
): Promise<T> {
  const socket = await connect(url, options);
  try {
    return await body(socket);
  } finally {
    socket.destroy();
  }
}

function connect(url: URL, options: SendOnce): Promise<net.Socket> {
  const secure = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
  return new Promise((resolve, reject) => {
    const left = options.deadline.leftMs();
    if (left <= 0 || options.signal?.aborted === true) {
      reject(new NotSent('no time was left to connect in', 'EDEADLINE'));
      return;
    }
    const socket = secure
      ? tls.connect({
          host,
          port,
          ALPNProtocols: ['http/1.1'],
          ...(net.isIP(host) === 0 ? { servername: host } : {}),
        })
      : net.connect({ host, port });
    const give = (message: string, code: string): void => {
      settle();
      socket.destroy();
      reject(new NotSent(message, code));
    };
    const timer = setTimeout(() => {
      give('could not connect in time', 'ETIMEDOUT');
    }, left);
    const aborted = (): void => {
      give('given up while connecting', 'EABORTED');
    };
    const failed = (error: NodeJS.ErrnoException): void => {
      give(`could not connect: ${error.code ?? 'unknown error'}`, error.code ?? 'ECONNECT');
    };
    const connected = (): void => {
      settle();
      resolve(socket);
    };
    const settle = (): void => {
      clearTimeout(timer);
      socket.off('error', failed);
      options.signal?.removeEventListener('abort', aborted);
    };
    options.signal?.addEventListener('abort', aborted, { once: true });
    socket.once('error', failed);
    socket.once(secure ? 'secureConnect' : 'connect', connected);
  });
}

/** Asks the door again while the connection waits. @throws NotSent */
async function renewed(
  leave: Leave,
  socket: net.Socket,
  { deadline }: Pick<SendOnce, 'deadline'>,
): Promise<void> {
  // One that breaks meanwhile is noticed below.
  const broken = (): void => undefined;
  socket.on('error', broken);
  let still: boolean;
  try {
    still = await leave.renewed();
  } catch {
    throw new NotSent('the door could not be asked again', 'EDOOR');
  } finally {
    socket.off('error', broken);
  }
  if (!still) throw new NotSent('the door has closed since it let this attempt through', 'EDOOR');
  if (socket.destroyed || deadline.leftMs() <= 0)
    throw new NotSent('no time or no connection was left to send in', 'EDEADLINE');
}

interface Exchange {
  readonly request: Request;
  readonly url: URL;
  readonly bytes: Buffer;
  readonly socket: net.Socket;
  readonly options: SendOnce;
}

function exchange({ request, url, bytes, socket, options }: Exchange): Promise<Response> {
  return new Promise((resolve, reject) => {
    const left = options.deadline.leftMs();
    // guard: the deadline is looked at on the connected socket, in the tick of sending.
    if (left <= 0 || options.signal?.aborted === true) {
      reject(new NotSent('the time to send in had passed once the connection stood', 'EDEADLINE'));
      return;
    }
    options.transmission.begun += 1;
    const lost = (message: string, code: string): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', aborted);
      outgoing.destroy();
      socket.destroy();
      reject(new AnswerLost(message, code));
    };
    const aborted = (): void => {
      lost('given up while waiting for the answer', 'EABORTED');
    };
    const timer = setTimeout(() => {
      lost('no whole answer before the deadline', 'ETIMEDOUT');
    }, left);
    options.signal?.addEventListener('abort', aborted, { once: true });
    const outgoing = http.request({
      method: request.method,
      path: `${url.pathname}${url.search}`,
      headers: headersOf(request, url, bytes.length),
      // Without an agent: one would open a socket of its own.
      createConnection: () => socket,
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      lost(`the connection broke: ${error.code ?? 'unknown error'}`, error.code ?? 'ECONNRESET');
    });
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', () => {
        lost('the connection broke within the answer', 'ECONNRESET');
      });
      incoming.on('aborted', () => {
        lost('the connection broke within the answer', 'ECONNRESET');
      });
      incoming.on('end', () => {
        if (!incoming.complete) return;
        clearTimeout(timer);
        options.signal?.removeEventListener('abort', aborted);
        resolve(responseOf(incoming, Buffer.concat(chunks), options));
      });
    });
    outgoing.end(bytes);
  });
}

function headersOf(request: Request, url: URL, length: number): Record<string, string> {
  const headers = Object.fromEntries(request.headers);
  headers['host'] = url.host;
  headers['connection'] = 'close';
  // A body is sent whole or not at all: no chunks, no compression, no expectation of a "100 Continue".
  delete headers['transfer-encoding'];
  delete headers['accept-encoding'];
  if (length > 0 || request.method !== 'GET') headers['content-length'] = String(length);
  return headers;
}

const BODILESS = new Set([101, 204, 205, 304]);

function responseOf(
  incoming: http.IncomingMessage,
  body: Buffer<ArrayBuffer>,
  options: SendOnce,
): Response {
  const headers = new Headers();
  for (let at = 0; at + 1 < incoming.rawHeaders.length; at += 2)
    headers.append(incoming.rawHeaders[at] ?? '', incoming.rawHeaders[at + 1] ?? '');
  const status = incoming.statusCode ?? 0;
  options.onResponse?.(status, headers);
  return new Response(BODILESS.has(status) ? null : body, { status, headers });
}
