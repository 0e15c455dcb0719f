import type { Call, Caller, Needs } from './call.js';
import { accountOf, zoneOf } from './call.js';
import { choice } from './choices.js';
import type { GroupName } from './permissions.js';
import { groupsOpening } from './permissions.js';
import { Refusal } from './reply.js';
import type { CloudflareState, PolicyRecord, TokenRecord } from './state.js';

const ACCOUNT = 'com.cloudflare.api.account.';
const ZONE = 'com.cloudflare.api.account.zone.';

/** Roles under which credentials of our own making travel. */
export const tokenRole = (token: Pick<TokenRecord, 'id' | 'nonce'>): string =>
  `token-${token.id}-${token.nonce}`;
export const uploadRole = (sessionId: string): string => `upload-${sessionId}`;

/** Who stands behind a credential's role. @throws Refusal for a token that is dead or not yet alive. */
export function callerOf(state: CloudflareState, role: string, now: number): Caller {
  const upload = /^upload-([0-9a-f]{32})$/.exec(role)?.[1];
  if (upload !== undefined) return { kind: 'upload', session: upload };
  const [, id, nonce] = /^token-([0-9a-f]{32})-([0-9a-f]+)$/.exec(role) ?? [];
  if (id === undefined || nonce === undefined) return { kind: 'user', role };
  const token = Object.hasOwn(state.tokens, id) ? state.tokens[id] : undefined;
  const dead = refusalOf(token, nonce, now);
  if (token === undefined || dead !== null) {
    throw new Refusal(401, 10000, 'Authentication error', { reason: dead ?? 'no such token' });
  }
  token.lastUsedAt = now;
  return { kind: 'token', token };
}

function refusalOf(token: TokenRecord | undefined, nonce: string, now: number): string | null {
  if (token === undefined) return 'the token was deleted or never existed';
  if (token.nonce !== nonce) return 'the token was rolled since';
  if (token.status !== 'active') return 'the token is disabled';
  if (token.expiresOn !== null && now >= token.expiresOn) return 'the token has expired';
  if (token.notBefore !== null && now < token.notBefore) return 'the token is not valid yet';
  if (now < token.worksFrom) return 'the token has not spread yet';
  return admitsLoopback(token) ? null : 'the token is not valid from this address';
}

/** Every caller of the sandbox comes from loopback: a condition must let that in. */
function admitsLoopback(token: TokenRecord): boolean {
  const condition = token.condition?.request_ip;
  const names = (list: readonly string[]): boolean =>
    list.some((range) => /^(127\.|0\.0\.0\.0\/0$|::1|::\/0$)/.test(range));
  if (condition?.in && condition.in.length > 0 && !names(condition.in)) return false;
  return !(condition?.not_in && names(condition.not_in));
}

/** Lets the call pass or throws; also finds its account or zone. */
export function authorize(call: Call, needs: Needs): void {
  if (call.caller.kind === 'user' && !mayAsUser(call.caller.role, call, needs)) {
    throw new Refusal(403, 10000, 'Authentication error', { reason: `not as ${call.caller.role}` });
  }
  if ('any' in needs) {
    if (needs.any === 'user' && call.caller.kind === 'token') {
      throw new Refusal(403, 10000, 'Authentication error', { reason: 'account-owned token' });
    }
    if ((needs.any === 'upload') !== (call.caller.kind === 'upload')) {
      throw new Refusal(401, 10000, 'Authentication error', { reason: 'wrong kind of credential' });
    }
    return;
  }
  if (call.caller.kind === 'upload') {
    throw new Refusal(401, 10000, 'Authentication error', { reason: 'an upload token uploads' });
  }
  if ('account' in needs) {
    const account = accountOf(call);
    if (!mayInAccount(call.caller, account.id, needs.account)) throw notPermitted(needs.account);
    return;
  }
  const zone = zoneOf(call);
  if (!mayInZone(call.caller, zone.accountId, zone.id, needs.zone)) throw notPermitted(needs.zone);
}

/** Our own user's credentials, each for one thing; a role of another name may do everything. */
function mayAsUser(role: string, { request }: Call, needs: Needs): boolean {
  const reads = request.method === 'GET';
  const group = 'account' in needs ? needs.account : 'zone' in needs ? needs.zone : null;
  if (/^mint-(actions|compensations)/.test(role)) {
    return group === null ? reads : group.startsWith('Account API Tokens ');
  }
  if (/^accounts(-|$)/.test(role)) return 'any' in needs && (needs.any === 'user' || reads);
  if (/^reads(-|$)/.test(role)) return group === null ? reads : group.endsWith(' Read');
  return true;
}

const notPermitted = (group: string): Refusal =>
  new Refusal(403, 10000, 'Authentication error', { reason: `the token lacks "${group}" here` });

export function mayInAccount(caller: Caller, accountId: string, group: GroupName): boolean {
  return may(caller, group, (resources) => resources[ACCOUNT + accountId] === '*');
}

/** Zone groups count on zone resources: named, all, or all zones of one account. */
export function mayInZone(
  caller: Caller,
  accountId: string,
  zoneId: string,
  group: GroupName,
): boolean {
  if (caller.kind === 'token' && caller.token.accountId !== accountId) return false;
  return may(caller, group, (resources) => {
    const nested = resources[ACCOUNT + accountId];
    const inAccount = typeof nested === 'object' ? nested : {};
    return [resources, inAccount].some(
      (map) => map[ZONE + zoneId] === '*' || map[`${ZONE}*`] === '*',
    );
  });
}

/** Whether the caller holds the group on anything at all. */
export const holds = (caller: Caller, group: GroupName): boolean => may(caller, group, () => true);

function may(
  caller: Caller,
  group: GroupName,
  covers: (resources: PolicyRecord['resources']) => boolean,
): boolean {
  if (caller.kind === 'user') return true;
  if (caller.kind === 'upload') return false;
  const opening = groupsOpening(group);
  const hits = caller.token.policies.filter(
    (policy) =>
      covers(policy.resources) && policy.permission_groups.some(({ id }) => opening.includes(id)),
  );
  return hits.length > 0 && hits.every((policy) => policy.effect === 'allow');
}

const WINDOW_MS = 5 * 60_000;

/** Counts the call; past the limit all calls are refused for five minutes, these included. */
export function countCall(state: CloudflareState, who: string, now: number): Refusal | null {
  const rate = (state.rate[who] ??= { from: now, count: 0, blockedUntil: null });
  if (rate.blockedUntil !== null && now < rate.blockedUntil) return tooMany();
  if (rate.blockedUntil !== null || now - rate.from >= WINDOW_MS) {
    Object.assign(rate, { from: now, count: 0, blockedUntil: null });
  }
  rate.count += 1;
  if (rate.count <= choice(state, 'rate.limit')) return null;
  rate.blockedUntil = now + WINDOW_MS;
  return tooMany();
}

/** Ms until the block on `who` ends, at least 0. */
export const blockedMs = (state: CloudflareState, who: string, now: number): number =>
  Math.max(0, (state.rate[who]?.blockedUntil ?? now) - now);

const tooMany = (): Refusal =>
  new Refusal(429, 971, 'Please wait and consider throttling your request speed');
