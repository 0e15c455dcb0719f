import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One thing that really exists at the stub. */
export interface Thing {
  readonly id: string;
  readonly marker: string;
  readonly key: string | undefined;
  readonly params: Record<string, unknown>;
  readonly chargedMinor: number;
  refundedMinor: number;
  alive: boolean;
}

export type Fault =
  | 'act-then-drop'
  | 'hang'
  | 'act-then-500'
  | 'stored-500'
  | 'decline'
  | 'refuse'
  | '429'
  | 'slow-act';

export interface StubProvider {
  readonly origin: string;
  readonly things: Thing[];
  readonly requests: { method: string; path: string; key: string | undefined; step: string }[];
  /** Faults by step, used up one by one. */
  readonly faults: Map<string, Fault[]>;
  /** Keys are forgotten, as after the provider's own time. */
  forgetKeys(): void;
  /** Nothing was ever made. */
  forgetThings(): void;
  /** From now on a change is answered only after so long, in ms. */
  answersAfter(ms: number): void;
  /** Lets requests that hang act now, as a slow network would. */
  releaseSlow(): void;
  close(): Promise<void>;
}

/**
 * A provider over HTTP that keeps idempotency keys for whoever sends one, and does what it is told wrong. It serves
 * both SDKs: `/v2/things` in Stripe's shapes, `/client/v4/things` in Cloudflare's envelope.
 */
export async function startStub(): Promise<StubProvider> {
  const things: Thing[] = [];
  const requests: StubProvider['requests'] = [];
  const faults: StubProvider['faults'] = new Map();
  const stored = new Map<string, { status: number; body: unknown }>();
  const slow: (() => void)[] = [];
  let next = 1;
  let latencyMs = 0;
  const create = (params: Record<string, unknown>, key: string | undefined): Thing => {
    const thing: Thing = {
      id: `thing_${next++}`,
      marker: String(params['marker']),
      key,
      params,
      chargedMinor: Number(params['amountMinor'] ?? 0),
      refundedMinor: 0,
      alive: true,
    };
    things.push(thing);
    return thing;
  };
  const post = (
    params: Record<string, unknown>,
    key: string | undefined,
    reply: Reply,
    socket: IncomingMessage['socket'],
  ): void => {
    const replay = key === undefined ? undefined : stored.get(key);
    if (replay !== undefined) {
      reply(replay.status, replay.body, true);
      return;
    }
    const store = (status: number, body: unknown): void => {
      if (key !== undefined) stored.set(key, { status, body });
    };
    const act = (): Thing => {
      const thing = create(params, key);
      store(200, thing);
      return thing;
    };
    const fault = faults.get(String(params['step']))?.shift();
    switch (fault) {
      case undefined:
        reply(200, act());
        return;
      case 'act-then-drop':
        act();
        socket.destroy();
        return;
      case 'hang':
        return;
      case 'slow-act':
        slow.push(() => void act());
        return;
      case 'act-then-500': {
        create(params, key);
        const body = { message: 'internal' };
        store(500, body);
        reply(500, body);
        return;
      }
      case 'stored-500':
        store(500, { message: 'internal' });
        reply(500, { message: 'internal' });
        return;
      case 'decline':
        store(402, { message: 'declined' });
        reply(402, { message: 'declined' });
        return;
      case 'refuse':
        reply(400, { message: 'refused for owner@example.com with sk_test_secret' });
        return;
      case '429':
        reply(429, { message: 'later' });
    }
  };
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    request.on('end', () => {
      const path = request.url ?? '';
      const stripe = path.startsWith('/v2/');
      const key = request.headers['idempotency-key'];
      const params = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
      requests.push({
        method: request.method ?? '',
        path,
        key: typeof key === 'string' ? key : undefined,
        step: typeof params['step'] === 'string' ? params['step'] : '',
      });
      const reply = replier(response, stripe);
      if (request.method === 'POST') {
        const answer = (): void => {
          post(params, typeof key === 'string' ? key : undefined, reply, request.socket);
        };
        if (latencyMs > 0) setTimeout(answer, latencyMs);
        else answer();
      } else if (request.method === 'DELETE') {
        const thing = things.find(({ id }) => path.endsWith(`/${id}`));
        if (thing !== undefined) {
          thing.alive = false;
          thing.refundedMinor = thing.chargedMinor;
        }
        reply(200, {});
      } else {
        reply(200, things);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    things,
    requests,
    faults,
    forgetKeys: () => {
      stored.clear();
    },
    forgetThings: () => {
      things.length = 0;
    },
    answersAfter: (ms) => {
      latencyMs = ms;
    },
    releaseSlow: () => {
      for (const act of slow.splice(0)) act();
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => {
          resolve();
        });
      }),
  };
}

type Reply = (status: number, body: unknown, replayed?: boolean) => void;

const replier =
  (response: ServerResponse, stripe: boolean): Reply =>
  (status, body, replayed = false) => {
    response.writeHead(status, {
      'content-type': 'application/json',
      'request-id': 'req_stub',
      ...(replayed ? { 'idempotent-replayed': 'true' } : {}),
    });
    if (stripe)
      response.end(
        JSON.stringify(
          status === 200
            ? Array.isArray(body)
              ? { data: body }
              : body
            : { error: { type: status === 402 ? 'card_error' : 'api_error', ...(body as object) } },
        ),
      );
    else
      response.end(
        JSON.stringify({
          success: status === 200,
          errors: status === 200 ? [] : [{ code: 1000, ...(body as object) }],
          messages: [],
          result: status === 200 ? body : null,
        }),
      );
  };
