import { timingSafeEqual, createHash, randomUUID } from 'node:crypto';
import { Hono } from 'hono';
import type { Context, MiddlewareHandler } from 'hono';
import { z } from 'zod';
import { WORLD_NAME, mintCredentials } from './credentials.js';
import { faultRulesSchema } from './faults.js';
import { BadMember, readMembers } from './provider.js';
import type { PersonAction, Provider } from './provider.js';
import { tellTruth } from './truth.js';
import type { World, Worlds } from './world.js';

const LOOPBACK_HOST = /^(127(\.\d{1,3}){3}|localhost|\[::1\])(:\d+)?$/i;
const clockSchema = z.strictObject({ advanceMs: z.int().min(0).max(315_360_000_000) });
const peopleSchema = z.looseObject({ do: z.string() });

interface ControlParts {
  readonly worlds: Worlds;
  readonly providers: readonly Provider[];
  readonly secret: string;
  readonly token: string;
  /** What can be done as somebody who is at no provider. */
  readonly people?: Readonly<Record<string, PersonAction>>;
}

type People = readonly Readonly<Record<string, PersonAction>>[];

/** An answer of RFC 9457: what was wrong, where, and what to do. */
function problem(
  c: Context,
  status: 400 | 401 | 403 | 404 | 500,
  detail: string,
  member?: string,
): Response {
  const titles = {
    400: 'Bad request',
    401: 'Unauthorized',
    403: 'Forbidden',
    404: 'Not found',
    500: 'Defect',
  };
  return c.json(
    {
      type: 'about:blank',
      title: titles[status],
      status,
      detail,
      ...(member === undefined ? {} : { member }),
    },
    status,
    { 'content-type': 'application/problem+json' },
  );
}

const sameSecret = (a: string, b: string): boolean =>
  timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());

async function bodyAs<T>(c: Context, schema: z.ZodType<T>): Promise<T> {
  let body: unknown;
  try {
    body = await c.req.json();
  } catch {
    throw new BadMember('body', 'the body is not JSON');
  }
  return readMembers(schema, body);
}

function worldOf(c: Context, worlds: Worlds): World {
  const name = c.req.query('world') ?? 'main';
  if (!WORLD_NAME.test(name)) {
    throw new BadMember(
      'world',
      `no world can be named '${name}': use a-z, 0-9 and '-', at most 63`,
    );
  }
  return worlds.get(name);
}

/**
 * Does what a person would do; an action that two providers know goes to the one that takes the
 * body.
 */
function doAsPerson(world: World, people: People, body: Record<string, unknown>): unknown {
  const action = String(body['do']);
  const able = people.flatMap((known) => (Object.hasOwn(known, action) ? [known[action]] : []));
  let refusal = new BadMember(
    'do',
    `nobody knows how to '${action}': use one of ${knownActions(people).join(', ')}`,
  );
  for (const perform of able) {
    try {
      return perform?.(world, body);
    } catch (error) {
      if (!(error instanceof BadMember)) throw error;
      refusal = error;
    }
  }
  throw refusal;
}

const knownActions = (people: People): string[] =>
  [...new Set(people.flatMap((known) => Object.keys(known)))].sort();

/**
 * The control port: never under the providers' own paths, never without its token, never off
 * loopback.
 */
export function controlApp({ worlds, providers, secret, token, people }: ControlParts): Hono {
  const persons: People = [...providers.map((provider) => provider.people), people ?? {}];
  const app = new Hono();
  const start = randomUUID();
  const gate: MiddlewareHandler = async (c, next) => {
    // A page in a browser that resolves its own name to this machine would send that name as Host.
    if (!LOOPBACK_HOST.test(c.req.header('host') ?? '')) {
      return problem(c, 403, 'the control port answers only under a loopback name', 'host');
    }
    if (!sameSecret(c.req.header('authorization') ?? '', `Bearer ${token}`)) {
      return problem(c, 401, 'send the control token as Authorization: Bearer …', 'authorization');
    }
    await next();
    return undefined;
  };
  app.use('*', gate);
  app.get('/_sandbox/health', (c) =>
    c.json({ status: 'ok', start, worlds: worlds.all().map(({ name }) => name) }),
  );
  app.get('/_sandbox/truth', async (c) => {
    const world = worldOf(c, worlds);
    // Written out at once: what comes in while the world is being saved belongs to the next answer.
    const truth = JSON.stringify(tellTruth(world, providers));
    // Telling the truth lets time pass first, which may charge and expire.
    await world.save();
    return c.body(truth, 200, { 'content-type': 'application/json' });
  });
  app.post('/_sandbox/credentials', (c) =>
    c.json(mintCredentials(secret, worldOf(c, worlds).name)),
  );
  app.post('/_sandbox/faults', async (c) => {
    const world = worldOf(c, worlds);
    world.faults.arm(await bodyAs(c, faultRulesSchema));
    await world.save();
    return c.json({ armed: world.faults.list() });
  });
  app.post('/_sandbox/clock', async (c) => {
    const world = worldOf(c, worlds);
    world.advance((await bodyAs(c, clockSchema)).advanceMs);
    await world.save();
    return c.json({ now: world.now() });
  });
  app.post('/_sandbox/people', async (c) => {
    const world = worldOf(c, worlds);
    const done = doAsPerson(world, persons, await bodyAs(c, peopleSchema));
    await world.save();
    return c.json({ done: done ?? null });
  });
  app.post('/_sandbox/reset', async (c) => {
    const world = worldOf(c, worlds);
    await world.reset();
    return c.json({ world: world.name });
  });
  app.notFound((c) =>
    problem(c, 404, `the control port has no ${c.req.method} ${c.req.path}`, 'path'),
  );
  app.onError((error, c) => {
    if (error instanceof BadMember) return problem(c, 400, error.message, error.member);
    process.stderr.write(`sandbox: control ${c.req.path}: ${String(error.stack)}\n`);
    return problem(c, 500, 'the sandbox itself broke: see its standard error');
  });
  return app;
}
