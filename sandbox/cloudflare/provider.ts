import { Hono } from 'hono';
import type { Env, Provider, SandboxContext } from '../core/provider.js';
import type { FaultRule } from '../core/faults.js';
import type { Asked, ProviderFault } from '../core/provider.js';
import { authorize, blockedMs, callerOf, countCall } from './access.js';
import { accountEndpoints } from './accounts.js';
import { assetEndpoints } from './assets.js';
import { billingEndpoints } from './billing.js';
import type { Call, Endpoint } from './call.js';
import { choice } from './choices.js';
import { customDomainEndpoints } from './custom-domains.js';
import { dnsEndpoints } from './dns.js';
import { unverifiedClaims } from './jwt.js';
import { people } from './people.js';
import { registrarEndpoints } from './registrar.js';
import { answer, Refusal, refuse } from './reply.js';
import { cloudflareState } from './state.js';
import { tokenEndpoints } from './tokens.js';
import { truthOf } from './truth.js';
import type { Validate } from './versions.js';
import { workerEndpoints } from './workers.js';
import { settle } from './workflows.js';
import { zoneEndpoints } from './zones.js';

const BASE = '/client/v4';

export interface CloudflareOptions {
  /** The sandbox's secret, of which its credentials are made. */
  readonly secret: string;
  /** Loads uploaded code in a real runtime (`startEdge` offers it). */
  readonly validate: Validate;
}

/** Every route of the stand-in with whom it lets in. */
export const cloudflareEndpoints = ({
  secret,
  validate,
}: CloudflareOptions): readonly Endpoint[] => [
  ...accountEndpoints,
  ...billingEndpoints,
  ...tokenEndpoints(secret),
  ...registrarEndpoints,
  ...zoneEndpoints,
  ...dnsEndpoints,
  ...assetEndpoints(secret),
  ...workerEndpoints(validate),
  ...customDomainEndpoints,
];

/** The Cloudflare stand-in: accounts, tokens, billing, registrar, zones, DNS and Workers. */
export function cloudflareProvider(options: CloudflareOptions): Provider {
  const app = new Hono<Env>();
  for (const entry of cloudflareEndpoints(options)) {
    app.on(entry.method, BASE + entry.path, (c) => serve(c, entry));
  }
  return {
    name: 'cloudflare',
    app,
    owns: (path) => path === BASE || path.startsWith(`${BASE}/`),
    tokenOf,
    admit,
    unauthorized,
    unknownRoute: (c) =>
      refuse(new Refusal(501, 7000, `The sandbox has no route for ${c.req.method} ${c.req.path}`)),
    fault: (_, kind, rule) => faultAnswer(kind, rule),
    echo: (_, status, asked) => echo(status, asked),
    ownFaults: new Set(['lag', 'price-drift', 'decline']),
    truth: truthOf,
    people,
  };
}

async function serve(c: SandboxContext, entry: Endpoint): Promise<Response> {
  const call = callOf(c);
  settle(call.state, call.now());
  try {
    authorize(call, entry.needs);
    return answer(await entry.handle(call), choice(call.state, 'lists.errors'));
  } catch (error) {
    if (error instanceof Refusal) return refuse(error);
    throw error;
  }
}

function callOf(c: SandboxContext): Call {
  const world = c.get('world');
  const fault = c.get('fault');
  const state = cloudflareState(world);
  const lagMs = fault?.fault === 'lag' ? (fault.ms ?? 0) : 0;
  return {
    world,
    state,
    caller: callerOf(state, c.get('credential').role, world.now()),
    params: c.req.param(),
    query: new URL(c.req.url).searchParams,
    request: c.req.raw,
    visibleAt: world.now() + lagMs,
    driftMinor: fault?.fault === 'price-drift' ? (fault.byMinor ?? 0) : 0,
    declined: fault?.fault === 'decline',
    now: () => world.now(),
    header: (name) => c.req.header(name) ?? null,
  };
}

const bearerOf = (headers: Headers): string | null =>
  /^Bearer\s+(\S+)$/i.exec(headers.get('authorization') ?? '')?.[1] ?? null;

/** An upload token is a signed JWT that carries the credential leading to its world. */
function tokenOf(headers: Headers): string | undefined {
  const bearer = bearerOf(headers);
  if (bearer === null) return undefined;
  return bearer.split('.').length === 3 ? (unverifiedClaims(bearer)?.sandbox ?? bearer) : bearer;
}

/** Refuses dead tokens and callers that called too often. */
function admit(c: SandboxContext): Response | undefined {
  const world = c.get('world');
  const { role, fingerprint } = c.get('credential');
  const state = cloudflareState(world);
  try {
    callerOf(state, role, world.now());
  } catch (error) {
    if (error instanceof Refusal) return refuse(error);
    throw error;
  }
  const refused = countCall(state, fingerprint, world.now());
  if (refused === null) return undefined;
  const seconds = Math.ceil(blockedMs(state, fingerprint, world.now()) / 1000);
  return refuse(refused, { 'retry-after': String(seconds) });
}

/** 400 for a header that is no bearer token at all, 401 for a token that is not ours. */
function unauthorized(c: SandboxContext): Response {
  const header = c.req.header('authorization');
  if (header === undefined) {
    const message = 'Missing "Authorization" header';
    return refuse(new Refusal(400, 9106, message));
  }
  if (bearerOf(c.req.raw.headers) === null) {
    const chain = [{ code: 6111, message: 'Invalid format for Authorization header' }];
    return refuse(new Refusal(400, 6003, 'Invalid request headers', { chain }));
  }
  return refuse(new Refusal(401, 10000, 'Authentication error'));
}

function faultAnswer(kind: ProviderFault, rule: FaultRule): Response {
  switch (kind) {
    case 'refuse':
      return refuse(new Refusal(400, 10000, 'The request was refused'));
    case '409':
      return refuse(new Refusal(409, 10000, 'The resource is being changed by another request'));
    case '429': {
      const seconds = Math.ceil((rule.ms ?? 1000) / 1000);
      const refusal = new Refusal(
        429,
        971,
        'Please wait and consider throttling your request speed',
      );
      return refuse(refusal, { 'retry-after': String(seconds) });
    }
    case 'stored-500':
    case '500':
      return refuse(new Refusal(500, 10013, 'An unknown error has occurred.'));
  }
}

/** Every member that an error has says what was asked, the credential included. */
function echo(status: 400 | 402 | 500, { authorization, body }: Asked): Response {
  const words = `You sent ${body.slice(0, 4_096)} as ${authorization}`;
  const chain = [{ code: 10001, message: words }];
  const [, token = ''] = authorization.split(' ');
  return refuse(new Refusal(status, 10000, words, { pointer: words, chain }), {
    'cf-ray': token,
    'x-echo': authorization,
  });
}
