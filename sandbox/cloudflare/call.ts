import { HonoRequest } from 'hono/request';
import type { z } from 'zod';
import type { World } from '../core/world.js';
import type { GroupName } from './permissions.js';
import type { Reply } from './reply.js';
import { isHexId, Refusal } from './reply.js';
import type { AccountRecord, CloudflareState, TokenRecord, ZoneRecord } from './state.js';

/** Who calls: our own user (any role), or an account-owned token that was made by API. */
export type Caller =
  | { readonly kind: 'user'; readonly role: string }
  | { readonly kind: 'token'; readonly token: TokenRecord }
  | { readonly kind: 'upload'; readonly session: string };

/** One request as an endpoint sees it. Times are ms of the world's clock. */
export interface Call {
  readonly world: World;
  readonly state: CloudflareState;
  readonly caller: Caller;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly request: Request;
  /** When what this call makes can first be read: now, or later under the `lag` fault. */
  readonly visibleAt: number;
  /** Cents that the `price-drift` fault adds to prices told or charged by this call. */
  readonly driftMinor: number;
  /** The `decline` fault: the card behind the account is declined. */
  readonly declined: boolean;
  now(): number;
  header(name: string): string | null;
}

/** Whom an endpoint lets in: a permission group on the account or zone of its path. */
export type Needs =
  | { readonly account: GroupName }
  | { readonly zone: GroupName }
  | { readonly any: 'user' | 'token' | 'upload' };

export interface Endpoint {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below /client/v4; `:account_id` and `:zone_id` are resolved and authorized before `handle`. */
  readonly path: string;
  readonly needs: Needs;
  readonly handle: (call: Call) => Reply | Promise<Reply>;
}

export const endpoint = (
  method: Endpoint['method'],
  path: string,
  needs: Needs,
  handle: Endpoint['handle'],
): Endpoint => ({ method, path, needs, handle });

/** Whether a read may see the thing yet. */
export const visible = (call: Pick<Call, 'now'>, thing: { visibleAt: number }): boolean =>
  thing.visibleAt <= call.now();

export function param(call: Call, name: string): string {
  const value = call.params[name];
  if (value === undefined) throw new Error(`the route has no parameter ${name}`);
  return value;
}

/** The account of the path, which the caller may see. */
export function accountOf(call: Call): AccountRecord {
  const id = param(call, 'account_id');
  const account = Object.hasOwn(call.state.accounts, id) ? call.state.accounts[id] : undefined;
  if (!isHexId(id)) throw noRoute(`/accounts/${id}`);
  if (!account?.linked || !visible(call, account)) {
    throw new Refusal(403, 9109, 'Unauthorized to access requested resource');
  }
  return account;
}

/** The zone of the path, in an account that the caller may see. */
export function zoneOf(call: Call): ZoneRecord {
  const id = param(call, 'zone_id');
  if (!isHexId(id)) throw noRoute(`/zones/${id}`);
  const zone = Object.hasOwn(call.state.zones, id) ? call.state.zones[id] : undefined;
  const account = zone === undefined ? undefined : call.state.accounts[zone.accountId];
  if (zone === undefined || !account?.linked || !visible(call, zone)) {
    throw new Refusal(403, 9109, 'Invalid zone identifier');
  }
  return zone;
}

const noRoute = (path: string): Refusal =>
  new Refusal(
    404,
    7003,
    `Could not route to /client/v4${path}, perhaps your object identifier is invalid?`,
  );

/** The JSON body by its schema. @throws Refusal 400 with `code`, pointing at the first wrong member. */
export async function jsonBody<S extends z.ZodType>(
  call: Call,
  schema: S,
  code: number,
): Promise<z.output<S>> {
  const text = await call.request.text();
  const parsed = schema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const pointer = `/${(issue?.path ?? []).map(String).join('/')}`;
  throw new Refusal(400, code, issue?.message ?? 'Invalid request body', { pointer });
}

function parseJson(text: string): unknown {
  if (text === '') return {};
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, 6007, 'Malformed JSON in request body');
  }
}

/** Resolves after `ms` of real time. */
export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

/** The multipart body, or null if it can't be read. */
export const formBody = (request: Request): Promise<FormData | null> =>
  new HonoRequest(request).formData().catch(() => null);
