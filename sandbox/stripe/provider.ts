import { Hono } from 'hono';
import { z } from 'zod';
import type { FaultKind } from '../core/faults.js';
import { noAnswer } from '../core/provider.js';
import type { Asked, Env, Provider, ProviderFault, SandboxContext } from '../core/provider.js';
import type { World } from '../core/world.js';
import { Call } from './call.js';
import type { Route } from './call.js';
import { catalogueRoutes } from './catalogue.js';
import { creditNoteRoutes } from './credit-notes.js';
import { customerRoutes } from './customers.js';
import { expanded } from './expand.js';
import { hashParams, isKept, release, take } from './idempotency.js';
import type { KeyedRequest } from './idempotency.js';
import { invoiceRoutes } from './invoices.js';
import { expand as expandSchema, parseParams, readForm } from './params.js';
import { paymentMethodRoutes } from './payment-methods.js';
import { paymentRoutes } from './payments.js';
import { drift, stripePeople } from './people.js';
import { StripeProblem, invalid } from './problem.js';
import { refundRoutes } from './refunds.js';
import { setupIntentRoutes } from './setup-intents.js';
import type { StoredAnswer } from './state.js';
import { stripeState } from './state.js';
import { passTime } from './subscription-life.js';
import { subscriptionRoutes } from './subscriptions.js';
import { stripeTruth } from './truth.js';

/** The API version answered to a request that names none. */
export const STRIPE_VERSION = '2026-10-28.endive';

/** Carried out here, because they act on what is stored under a key or on what is made. */
const OWN_FAULTS: ReadonlySet<FaultKind> = new Set<FaultKind>([
  'stored-500',
  'decline',
  'price-drift',
  'lag',
  'slow',
  'hang',
]);

const ROUTES: readonly Route[] = [
  ...customerRoutes,
  ...paymentMethodRoutes,
  ...setupIntentRoutes,
  ...catalogueRoutes,
  ...subscriptionRoutes,
  ...invoiceRoutes,
  ...paymentRoutes,
  ...refundRoutes,
  ...creditNoteRoutes,
];

const EXPAND = z.strictObject({ expand: expandSchema.optional() });
const API_ERROR = (): StripeProblem =>
  new StripeProblem(500, 'An unknown error occurred.', { type: 'api_error' });

interface Result {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

function answer(c: SandboxContext, requestId: string, result: Result): Response {
  const key = c.req.header('idempotency-key');
  return Response.json(result.body, {
    status: result.status,
    headers: {
      'request-id': requestId,
      'stripe-version': c.req.header('stripe-version') ?? STRIPE_VERSION,
      ...(key === undefined ? {} : { 'idempotency-key': key, 'original-request': requestId }),
      ...result.headers,
    },
  });
}

function problemAnswer(c: SandboxContext, problem: StripeProblem, headers = {}): Response {
  const requestId = c.get('requestId') ?? 'req_sandbox';
  return answer(c, requestId, {
    status: problem.status,
    body: problem.envelope(requestId),
    headers,
  });
}

/** Runs a route and shapes what comes of it, a refusal included. */
function execute(call: Call, run: Route, raw: Record<string, unknown>, requestId: string): Result {
  try {
    if (call.fault?.fault === 'stored-500') throw API_ERROR();
    const { expand, ...params } = raw;
    const { expand: paths = [] } = parseParams(EXPAND, { expand }, []);
    const body = expanded(call, run.run(call, params), paths);
    if (call.fault?.fault === 'act-then-500' && call.fault.stored === true) throw API_ERROR();
    return { status: 200, body };
  } catch (error) {
    if (!(error instanceof StripeProblem)) throw error;
    return { status: error.status, body: error.envelope(requestId) };
  }
}

/** What happens besides the answer: objects hidden for a while, a person who acts at once. */
function afterwards(world: World, call: Call): void {
  if (call.fault?.fault === 'lag') {
    const until = world.now() + (call.fault.ms ?? 1_000);
    for (const id of call.made) stripeState(world).hiddenUntil[id] = until;
  }
  for (const act of call.afterwards) act();
}

async function readParams(c: SandboxContext): Promise<Record<string, unknown>> {
  const body = await c.req.text();
  const type = c.req.header('content-type') ?? '';
  if (body !== '' && !type.startsWith('application/x-www-form-urlencoded')) {
    throw invalid(`Invalid request: the body is form-encoded, not ${type}.`);
  }
  return { ...readForm(new URL(c.req.url).search.slice(1)), ...readForm(body) };
}

async function serve(c: SandboxContext, run: Route): Promise<Response> {
  const { world, fault } = c.var;
  const requestId = world.id('req_');
  c.set('requestId', requestId);
  let keyed: KeyedRequest | undefined;
  let kept: StoredAnswer | undefined;
  try {
    const raw = await readParams(c);
    const path = c.req.path;
    const key = run.method === 'POST' ? c.req.header('idempotency-key') : undefined;
    const request =
      key === undefined
        ? undefined
        : { key, method: run.method, path, paramsHash: hashParams(raw) };
    const stored = request === undefined ? undefined : take(world, request);
    if (stored !== undefined) {
      const headers = { 'idempotent-replayed': 'true', 'original-request': stored.requestId };
      return answer(c, requestId, { status: stored.status, body: stored.body, headers });
    }
    keyed = request;
    const begun = world.now();
    if ((await c.var.beforeActing()) === 'abandon') return noAnswer();
    // From here on nothing is awaited: what this request does, no other sees half done.
    passTime(world);
    if (fault?.fault === 'price-drift')
      drift(world, path + JSON.stringify(raw), fault.byMinor ?? 1);
    const call = new Call(world, c.req.param(), key, fault);
    const result = execute(call, run, raw, requestId);
    if (request !== undefined && isKept(result.status)) {
      kept = { ...request, ...result, requestId, createdAt: begun };
    }
    afterwards(world, call);
    return answer(c, requestId, result);
  } catch (error) {
    if (error instanceof StripeProblem) return problemAnswer(c, error);
    throw error;
  } finally {
    if (keyed !== undefined) release(world, keyed, kept);
  }
}

function fault(
  c: SandboxContext,
  kind: ProviderFault,
  rule: { shouldRetry?: boolean | undefined },
): Response {
  if (c.get('requestId') === undefined) c.set('requestId', c.var.world.id('req_'));
  const retry: Record<string, string> =
    rule.shouldRetry === undefined ? {} : { 'stripe-should-retry': String(rule.shouldRetry) };
  switch (kind) {
    case 'refuse':
      return problemAnswer(c, invalid('This request was refused (a fault of the sandbox).'));
    case '409': {
      const message =
        'The request conflicts with another request in progress. Please try again later.';
      const code = 'idempotency_key_in_use';
      return problemAnswer(
        c,
        new StripeProblem(409, message, { type: 'idempotency_error', code }),
        retry,
      );
    }
    case '429': {
      const message = 'Request rate limit exceeded. Please try again later.';
      return problemAnswer(
        c,
        new StripeProblem(429, message, { type: 'invalid_request_error', code: 'rate_limit' }),
        { 'retry-after': '1', ...retry },
      );
    }
    case '500':
    case 'stored-500':
      return problemAnswer(c, API_ERROR());
  }
}

/** Every member that an error has says what was asked, the credential included. */
function echo(
  c: SandboxContext,
  status: 400 | 402 | 500,
  { authorization, body }: Asked,
): Response {
  const words = `You sent ${decodeURIComponent(body.replaceAll('+', ' '))} as ${authorization}`;
  const type =
    status === 402 ? 'card_error' : status === 500 ? 'api_error' : 'invalid_request_error';
  const [, key = ''] = authorization.split(' ');
  const details = { type, code: key, declineCode: key, param: words } as const;
  return problemAnswer(c, new StripeProblem(status, words, details), {
    'request-id': key,
    'x-echo': authorization,
  });
}

function unauthorized(c: SandboxContext): Response {
  const message =
    c.req.header('authorization') === undefined
      ? 'You did not provide an API key. Provide it in the Authorization header, as a bearer token.'
      : 'Invalid API Key provided: it is none of this sandbox.';
  return problemAnswer(c, new StripeProblem(401, message, { type: 'invalid_request_error' }));
}

function tokenOf(headers: Headers): string | undefined {
  const [scheme = '', value = ''] = (headers.get('authorization') ?? '').split(/\s+/);
  if (/^bearer$/i.test(scheme)) return value;
  if (!/^basic$/i.test(scheme)) return undefined;
  return Buffer.from(value, 'base64').toString('utf8').split(':')[0];
}

/** The Stripe stand-in. */
export function stripeProvider(): Provider {
  const app = new Hono<Env>();
  // Never read after a write by search: it lags by up to an hour. So it is not here, and says so.
  for (const what of ['customers', 'subscriptions', 'invoices', 'charges', 'payment_intents']) {
    app.get(`/v1/${what}/search`, (c) => c.notFound());
  }
  for (const one of ROUTES) app.on(one.method, one.path, (c) => serve(c as SandboxContext, one));
  return {
    name: 'stripe',
    app,
    owns: (path) => path.startsWith('/v1/') || path.startsWith('/v2/'),
    tokenOf,
    unauthorized,
    unknownRoute: (c) =>
      problemAnswer(
        c,
        new StripeProblem(501, `The sandbox has no ${c.req.method} ${c.req.path}`, {
          type: 'api_error',
          code: 'sandbox_not_implemented',
        }),
      ),
    fault,
    echo,
    ownFaults: OWN_FAULTS,
    truth: stripeTruth,
    people: stripePeople,
  };
}
