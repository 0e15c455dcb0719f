import type { HttpBindings } from '@hono/node-server';
import type { Context, Hono } from 'hono';
import type { z } from 'zod';
import type { Credential, ProviderName } from './credentials.js';
import type { FaultKind, FaultRule } from './faults.js';
import type { World } from './world.js';

/** What a handler finds in its context. */
export interface Env {
  Bindings: HttpBindings;
  Variables: {
    world: World;
    credential: Credential;
    /** The fault due on this request, if any: a provider acts on those the core leaves to it. */
    fault: FaultRule | undefined;
    /** Waits as `slow` and `hang` demand. `abandon`: don't act, nobody will see the answer. */
    beforeActing: () => Promise<'act' | 'abandon'>;
    /** The provider's id of this request, for the log. */
    requestId: string | undefined;
  };
}
export type SandboxContext = Context<Env>;

/** Something that exists at a provider and would go on existing (and perhaps costing). */
export interface LivingResource {
  readonly provider: ProviderName;
  readonly kind: string;
  readonly id: string;
  readonly name: string;
  /** The marker the maker wrote into metadata, comment or annotation; null if none. */
  readonly marker: string | null;
}

/** Money that was really taken. Amounts in cents, times in ms of the world's clock. */
export interface Charge {
  readonly provider: ProviderName;
  readonly object: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly refundedMinor: number;
  readonly idempotencyKey?: string;
  readonly at: number;
}

/** What one provider knows of one world. */
export interface ProviderTruth {
  readonly charges: readonly Charge[];
  readonly living: readonly LivingResource[];
  readonly counts: Readonly<Record<string, number>>;
  /** Everything else that is worth looking at, by collection. */
  readonly [collection: string]: unknown;
}

/** Answers of `fault` for these kinds do not act. */
export type ProviderFault = Extract<FaultKind, 'refuse' | '409' | '429' | 'stored-500'> | '500';

/** A request as a provider that quotes it back has seen it. */
export interface Asked {
  readonly authorization: string;
  readonly body: string;
}

/**
 * What a person would do at the provider. `body` is the whole request body; returns what was
 * done.
 */
export type PersonAction = (world: World, body: Record<string, unknown>) => unknown;

/** One provider stand-in: routes under the provider's real paths, and what the core needs of it. */
export interface Provider {
  readonly name: ProviderName;
  readonly app: Hono<Env>;
  /** Whether a path is this provider's to answer. */
  owns(path: string): boolean;
  /** The bearer token of a request, or undefined if it has none in the provider's form. */
  tokenOf?(headers: Headers): string | undefined;
  /** Refuses a well-formed credential of this sandbox (expired, revoked …); undefined admits it. */
  admit?(c: SandboxContext): Response | undefined;
  /** 401 in the provider's shape. */
  unauthorized(c: SandboxContext): Response;
  /** 501 in the provider's shape; the core records it. */
  unknownRoute(c: SandboxContext): Response;
  /** A fault's answer in the provider's shape. */
  fault(c: SandboxContext, kind: ProviderFault, rule: FaultRule): Response;
  /** Refuses with a body and headers that quote the request, its credential included. */
  echo(c: SandboxContext, status: 400 | 402 | 500, asked: Asked): Response;
  /**
   * Kinds that the provider's own handlers carry out (`lag`, `price-drift` …). The core carries
   * out the rest. A provider that lists `slow` and `hang` here calls `beforeActing` itself.
   */
  readonly ownFaults: ReadonlySet<FaultKind>;
  truth(world: World): ProviderTruth;
  readonly people: Readonly<Record<string, PersonAction>>;
}

/** Thrown by a person's action on a body it can't use: answered 400, naming the member. */
export class BadMember extends Error {
  constructor(
    readonly member: string,
    detail: string,
  ) {
    super(detail);
    this.name = 'BadMember';
  }
}

/** Reads a control body. @throws BadMember naming the first member that does not fit. */
export function readMembers<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
  const member = [...(issue?.path ?? []), ...unknown].map(String).join('.');
  throw new BadMember(member === '' ? 'body' : member, issue?.message ?? 'the body does not fit');
}

/** No answer at all: what the listener takes for a socket that is gone or taken. */
export function noAnswer(): Response {
  return new Response(null, { headers: { 'x-hono-already-sent': 'true' } });
}
