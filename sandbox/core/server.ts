import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import type { MiddlewareHandler } from 'hono';
import { setTimeout as delay } from 'node:timers/promises';
import { readCredential } from './credentials.js';
import type { FaultRule } from './faults.js';
import { noAnswer } from './provider.js';
import type { Env, Provider, SandboxContext } from './provider.js';
import { storableBody, storableHeaders } from './requests.js';
import type { RequestRecord } from './requests.js';
import type { World, Worlds } from './world.js';

/** Every answer carries it, so that a production set-up can refuse to talk to a stand-in. */
export const SANDBOX_HEADER = 'x-countersign-sandbox';

type Handler = (request: Request, bindings: Env['Bindings']) => Response | Promise<Response>;

function bearer(headers: Headers): string | undefined {
  return /^Bearer\s+(\S+)$/i.exec(headers.get('authorization') ?? '')?.[1];
}

/** Resolves when the client has left, or at once if it is gone. */
function clientGone(c: SandboxContext): Promise<void> {
  const { socket } = c.env.incoming;
  if (socket.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    socket.once('close', () => {
      resolve();
    });
  });
}

/** Waits as the fault demands, before anything is done. */
async function beforeActing(
  c: SandboxContext,
  rule: FaultRule | undefined,
): Promise<'act' | 'abandon'> {
  if (rule?.fault === 'slow') await delay(rule.ms ?? 1_000);
  if (rule?.fault !== 'hang' || rule.act === true) return 'act';
  await clientGone(c);
  return 'abandon';
}

/** Lets the provider answer, under the fault. Returns undefined if the client gets no answer. */
async function answerUnder(
  c: SandboxContext,
  provider: Provider,
  rule: FaultRule | undefined,
  of: { act: () => Promise<Response>; body: ArrayBuffer },
): Promise<{ answer: Response; after?: () => void | Promise<void> }> {
  const left = rule !== undefined && !provider.ownFaults.has(rule.fault);
  if (left && ['refuse', '409', '429', 'stored-500'].includes(rule.fault)) {
    const kind = rule.fault as 'refuse' | '409' | '429' | 'stored-500';
    return { answer: provider.fault(c, kind, rule) };
  }
  if (left && rule.fault === 'echo') {
    const authorization = c.req.header('authorization') ?? '';
    const asked = { authorization, body: new TextDecoder().decode(of.body) };
    return { answer: provider.echo(c, rule.status ?? 400, asked) };
  }
  if (left && (await beforeActing(c, rule)) === 'abandon') return { answer: noAnswer() };
  const answer = await of.act();
  switch (rule?.fault) {
    case 'act-then-500':
      return { answer: provider.fault(c, '500', rule) };
    case 'act-then-drop':
      return { answer: noAnswer(), after: () => void c.env.incoming.socket.destroy() };
    case 'hang':
      return { answer: noAnswer(), after: () => clientGone(c) };
    default:
      return { answer };
  }
}

function noteRequest(c: SandboxContext, provider: Provider, body: ArrayBuffer): RequestRecord {
  const url = new URL(c.req.url);
  return c.var.world.noteRequest({
    at: c.var.world.now(),
    provider: provider.name,
    role: c.var.credential.role,
    method: c.req.method,
    path: url.pathname,
    query: url.search.slice(1),
    headers: storableHeaders(c.req.raw.headers),
    body: storableBody(new Uint8Array(body)),
    bodyBytes: body.byteLength,
    status: null,
  });
}

function withBody({ url, method, headers }: Request, body: ArrayBuffer): Request {
  return new Request(url, { method, headers, ...(body.byteLength === 0 ? {} : { body }) });
}

/**
 * One provider's app with the core around it: credential, log, faults, and saving before the
 * answer.
 */
function guard(provider: Provider, worlds: Worlds, secret: string): MiddlewareHandler<Env> {
  return async (c, next) => {
    const token = (provider.tokenOf ?? bearer)(c.req.raw.headers);
    const credential =
      token === undefined ? undefined : readCredential(secret, provider.name, token);
    if (credential === undefined) return provider.unauthorized(c);
    const world = worlds.get(credential.world);
    c.set('world', world);
    c.set('credential', credential);
    const body = await c.req.arrayBuffer();
    // A body can be read once: the provider's handlers get a request that still has it.
    c.req.raw = withBody(c.req.raw, body);
    const record = noteRequest(c, provider, body);
    const refused = provider.admit?.(c);
    const rule = refused ? undefined : world.faults.take(provider.name, c.req.method, c.req.path);
    if (rule !== undefined) {
      record.fault = rule.fault;
      // A fault that struck has struck: a kill while it holds the request does not arm it again.
      await world.save();
    }
    c.set('fault', rule);
    c.set('beforeActing', () => beforeActing(c, rule));
    const act = async (): Promise<Response> => {
      await next();
      return c.res;
    };
    const { answer, after } = refused
      ? { answer: refused }
      : await answerUnder(c, provider, rule, { act, body });
    const silent = answer.headers.has('x-hono-already-sent');
    record.status = silent ? null : answer.status;
    const { requestId } = c.var as { requestId?: string };
    if (requestId !== undefined) record.requestId = requestId;
    // What was done is on disk before anybody can learn of it: a kill never takes back an answer. A
    // read may do something too: it finds that time has passed.
    await world.save();
    world.finishRequest(record);
    await after?.();
    c.res = undefined;
    c.res = answer;
    return undefined;
  };
}

function guarded(provider: Provider, worlds: Worlds, secret: string): Handler {
  const app = new Hono<Env>();
  app.use('*', guard(provider, worlds, secret));
  app.route('/', provider.app);
  app.notFound((c) => {
    note(c, provider, c.var.world);
    return provider.unknownRoute(c);
  });
  app.onError((error, c) => {
    // A defect of the stand-in must not pass for a fault of the provider: it is shown in the truth.
    process.stderr.write(
      `sandbox: ${provider.name} ${c.req.method} ${c.req.path}: ${String(error.stack)}\n`,
    );
    note(c, provider, c.var.world, error.message);
    return provider.unknownRoute(c);
  });
  return (request, bindings) => app.fetch(request, bindings);
}

function note(c: SandboxContext, provider: Provider, world: World, defect?: string): void {
  world.noteUnknownRoute({
    at: world.now(),
    provider: provider.name,
    method: c.req.method,
    path: c.req.path,
    ...(defect === undefined ? {} : { defect }),
  });
}

/** The API port's handler: each provider under its real paths. */
export function apiHandler(
  providers: readonly Provider[],
  worlds: Worlds,
  secret: string,
): Handler {
  const handlers = providers.map((provider) => ({
    provider,
    handle: guarded(provider, worlds, secret),
  }));
  return (request, bindings) => {
    const { pathname } = new URL(request.url);
    const found = handlers.find(({ provider }) => provider.owns(pathname));
    if (found !== undefined) return found.handle(request, bindings);
    const known = 'Stripe is at /v1/… and /v2/…, Cloudflare at /client/v4/…';
    return Response.json(
      { error: `no provider of this sandbox answers ${pathname}: ${known}` },
      { status: 501 },
    );
  };
}

/** A listening port of the sandbox. */
export interface Listening {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Listens on the loopback address; port 0 takes a free one. @throws Error naming a port that is
 * taken.
 */
export async function listen(handle: Handler, port: number): Promise<Listening> {
  const answer = getRequestListener(
    async (request, bindings) => {
      const response = await handle(request, bindings as Env['Bindings']);
      response.headers.set(SANDBOX_HEADER, '1');
      return response;
    },
    { overrideGlobalObjects: false },
  );
  const server = createServer((incoming, outgoing) => {
    void answer(incoming, outgoing);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { port: taken } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${taken}`,
    port: taken,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}
