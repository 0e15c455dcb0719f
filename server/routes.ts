import type { Caller, CallerKind } from './caller.js';
import type { ServerParts } from './parts.js';
import { postBundle } from './routes-bundles.js';
import { postDecision } from './routes-decisions.js';
import { getGate, getMe, getRun, getRuns, postRun } from './routes-runs.js';
import { getKeys, postKey, postKeyApproval } from './routes-keys.js';
import { postRunStop, postStop } from './routes-stops.js';
import { openApiOf } from './openapi.js';
import { postStripe } from './webhook.js';

/** What a handler gets of a request that has passed every check of its row. */
export interface Asked {
  readonly parts: ServerParts;
  /** Of a route that somebody has to have a token for. */
  readonly caller: Caller;
  readonly path: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly contentType: string | undefined;
  readonly headers: Headers;
}

export interface Answer {
  readonly status: number;
  readonly json: unknown;
}

export type Handler = (asked: Asked) => Promise<Answer>;

/** One route: who may call it, and what refuses the rest. The boundary test prints these rows. */
export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Absent: nobody needs a token. */
  readonly who?: readonly CallerKind[];
  readonly bodyBytesMax: number;
  /** What, beside the token, refuses. */
  readonly guard: string;
  readonly summary: string;
  readonly handle: Handler;
}

const KIB = 1_024;
const NO_BODY = 0;
const EVERYBODY = ['agent', 'person', 'service'] as const;

/** Every route of the server's own port, and nothing else answers there. */
export const ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/.well-known/oauth-protected-resource',
    bodyBytesMax: NO_BODY,
    guard: 'says what everybody may know',
    summary: 'Which issuers are trusted, and for which audience (RFC 9728)',
    handle: ({ parts }) => Promise.resolve({ status: 200, json: resourceMetadata(parts) }),
  },
  {
    method: 'GET',
    path: '/api/v1/openapi.json',
    bodyBytesMax: NO_BODY,
    guard: 'says what everybody may know',
    summary: 'This list as OpenAPI',
    handle: ({ parts }) =>
      Promise.resolve({ status: 200, json: openApiOf(ROUTES, parts.publicUrl) }),
  },
  {
    method: 'GET',
    path: '/api/v1/me',
    who: EVERYBODY,
    bodyBytesMax: NO_BODY,
    guard: 'tells of the caller alone',
    summary: 'Who the token is of, by the register',
    handle: getMe,
  },
  {
    method: 'POST',
    path: '/api/v1/bundles',
    who: ['agent'],
    bodyBytesMax: 36 * KIB * KIB,
    guard: 'bytes must be what their digest names; credentials and broken Workers are refused',
    summary: 'Stores a packed site, once for each digest',
    handle: postBundle,
  },
  {
    method: 'POST',
    path: '/api/v1/runs',
    who: ['agent'],
    bodyBytesMax: 64 * KIB,
    guard: 'the agent of the body is the token’s; admission checks the rest; a taken id is 409',
    summary: 'Admits and starts a run',
    handle: postRun,
  },
  {
    method: 'GET',
    path: '/api/v1/runs',
    who: EVERYBODY,
    bodyBytesMax: NO_BODY,
    guard: 'an agent’s own; a person’s as owner, principal or approver',
    summary: 'Runs that the caller may see, newest first',
    handle: getRuns,
  },
  {
    method: 'GET',
    path: '/api/v1/runs/:run',
    who: EVERYBODY,
    bodyBytesMax: NO_BODY,
    guard: 'as the list; anything else is 404',
    summary: 'Where a run stands, by the record',
    handle: getRun,
  },
  {
    method: 'GET',
    path: '/api/v1/runs/:run/gate',
    who: EVERYBODY,
    bodyBytesMax: NO_BODY,
    guard: 'as the list; anything else is 404',
    summary: 'The open gate: the exact bytes of document and card',
    handle: getGate,
  },
  {
    method: 'POST',
    path: '/api/v1/runs/:run/decisions',
    who: ['person'],
    bodyBytesMax: 64 * KIB,
    guard: 'an approve needs the approver’s own signature; an unsigned reject a sign-in on record',
    summary: 'Records a decision, then tells the run',
    handle: postDecision,
  },
  {
    method: 'POST',
    path: '/api/v1/runs/:run/stop',
    who: EVERYBODY,
    bodyBytesMax: 64 * KIB,
    guard: 'a run that the caller may see',
    summary: 'Stops one run',
    handle: postRunStop,
  },
  {
    method: 'POST',
    path: '/api/v1/stops',
    who: ['agent', 'person'],
    bodyBytesMax: 64 * KIB,
    guard:
      'an agent over itself and its runs; a person over what they answer for, approvers over all',
    summary: 'Stops a scope',
    handle: postStop,
  },
  {
    method: 'GET',
    path: '/api/v1/keys',
    who: ['person'],
    bodyBytesMax: NO_BODY,
    guard: 'one’s own keys; what waits, for those who admit keys',
    summary: 'Keys of the caller, and what a ceremony needs',
    handle: getKeys,
  },
  {
    method: 'POST',
    path: '/api/v1/keys',
    who: ['person'],
    bodyBytesMax: 64 * KIB,
    guard: 'the new key’s own signature; one’s own key, in a sign-in of at most five minutes',
    summary: 'Asks for a key to be admitted',
    handle: postKey,
  },
  {
    method: 'POST',
    path: '/api/v1/keys/:enrolment/approvals',
    who: ['person'],
    bodyBytesMax: 64 * KIB,
    guard: 'a key administrator’s own signature, never over a key of their own',
    summary: 'Admits a key that waits',
    handle: postKeyApproval,
  },
  {
    method: 'POST',
    path: '/webhooks/stripe',
    bodyBytesMax: 256 * KIB,
    guard: 'Stripe’s signature over the raw body, at most 300 s old; account and mode are ours',
    summary: 'An event of Stripe wakes a reader',
    handle: postStripe,
  },
];

function resourceMetadata({ audience, cliClientId, issuers }: ServerParts): object {
  return {
    resource: audience,
    authorization_servers: issuers,
    bearer_methods_supported: ['header'],
    scopes_supported: ['countersign'],
    countersign_cli_client_id: cliClientId,
  };
}
