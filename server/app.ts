import { randomUUID } from 'node:crypto';
import { Hono } from 'hono';
import type { Context } from 'hono';
import { beginAnswer, endAnswer } from '../store/http-answers.js';
import { readBody, sha256 } from './body.js';
import { callerOfRequest } from './caller.js';
import type { Caller } from './caller.js';
import type { ServerParts } from './parts.js';
import { defect, Problem, problemOf, problemResponse } from './problem.js';
import { ROUTES } from './routes.js';
import type { Asked, Route } from './routes.js';

const KEY = /^[\x21-\x7e]{1,255}$/;

/** What every answer says to a browser that it should never have reached. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'publickey-credentials-get=(self)',
  'cache-control': 'no-store',
} as const;

/** The server's own port: the rows of `ROUTES`, each behind the same checks, and nothing else. */
export function createApp(parts: ServerParts): Hono {
  const app = new Hono();
  const own = new URL(parts.publicUrl);
  app.use('*', async (c: Context, next) => {
    checkOrigin(c, own);
    await next();
  });
  for (const route of ROUTES)
    app.on(route.method, [route.path], (c: Context) => answer(parts, route, c));
  app.notFound((c) =>
    finish(c, problemResponse(new Problem(404, 'route-unknown', 'no such route'))),
  );
  app.onError((error, c) => {
    const known = problemOf(error);
    if (known === undefined)
      parts.log.error({ method: c.req.method, name: error.name, stack: error.stack }, 'unforeseen');
    else if (known.status >= 500 || known.cause !== undefined)
      parts.log.warn({ method: c.req.method, code: known.code, why: known.cause }, 'refused');
    return finish(c, problemResponse(known ?? defect()));
  });
  return app;
}

/** guard: a page of somebody else's, or a name that was bent to point here, gets nothing. */
function checkOrigin(c: Context, own: URL): void {
  if (c.req.header('host') !== own.host)
    throw new Problem(421, 'host-foreign', 'this server answers under its own name alone');
  const origin = c.req.header('origin');
  const site = c.req.header('sec-fetch-site');
  if (
    (origin !== undefined && origin !== own.origin) ||
    (site !== undefined && site !== 'same-origin' && site !== 'none')
  )
    throw new Problem(403, 'origin-foreign', 'requests of other origins are refused');
}

function finish(_c: Context, response: Response): Response {
  for (const [name, value] of Object.entries(HEADERS)) response.headers.set(name, value);
  return response;
}

const NOBODY = {} as Caller;

async function answer(parts: ServerParts, route: Route, c: Context): Promise<Response> {
  const { who } = route;
  const caller =
    who === undefined
      ? NOBODY
      : await callerOfRequest(parts.gateway.db, parts.verify, c.req.header('authorization'));
  // guard: a token of the wrong kind of holder goes no further.
  if (who !== undefined && !who.includes(caller.holder.kind))
    throw new Problem(403, 'not-for-you', `this route is for: ${who.join(', ')}`);
  const asked: Asked = {
    parts,
    caller,
    path: c.req.param(),
    body: await readBody(c.req.raw, route.bodyBytesMax),
    contentType: c.req.header('content-type'),
    headers: c.req.raw.headers,
  };
  if (route.method === 'POST' && who !== undefined) return finish(c, await once(route, asked));
  const { json, status } = await route.handle(asked);
  return finish(c, Response.json(json, { status }));
}

/** Answers a POST once for each key of its caller; a repetition gets the first answer again. */
async function once(route: Route, asked: Asked): Promise<Response> {
  const given = asked.headers.get('idempotency-key') ?? '';
  if (!KEY.test(given))
    throw new Problem(400, 'idempotency-key-missing', 'send an Idempotency-Key with every POST');
  const { db } = asked.parts.gateway;
  const key = {
    caller: asked.caller.name,
    route: `${route.path} ${JSON.stringify(asked.path)}`,
    keyDigest: sha256(given),
    bodyDigest: sha256(asked.body),
  };
  const attempt = randomUUID();
  const begun = await beginAnswer(db, key, attempt);
  if (!begun.begun) {
    if (begun.why === 'answered')
      return new Response(begun.answer.body, {
        status: begun.answer.status,
        headers: { 'content-type': begun.answer.contentType, 'idempotent-replayed': 'true' },
      });
    throw begun.why === 'busy'
      ? new Problem(409, 'idempotency-key-busy', 'the first request of this key is being answered')
      : new Problem(422, 'idempotency-key-reused', 'this key was used with another body');
  }
  const response = await responseOf(route, asked).catch(async (error: unknown) => {
    await endAnswer(db, key, attempt, undefined);
    throw error;
  });
  const body = await response.clone().text();
  const contentType = response.headers.get('content-type') ?? '';
  await endAnswer(db, key, attempt, { status: response.status, body, contentType });
  return response;
}

/** A refusal is an answer too; what might go otherwise next time is thrown on and not kept. */
async function responseOf(route: Route, asked: Asked): Promise<Response> {
  try {
    const { json, status } = await route.handle(asked);
    return Response.json(json, { status });
  } catch (error) {
    const known = problemOf(error);
    if (known === undefined || known.status >= 500) throw error;
    return problemResponse(known);
  }
}
