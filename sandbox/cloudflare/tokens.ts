import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { issueCredential } from '../core/credentials.js';
import { holds, tokenRole } from './access.js';
import type { Call, Endpoint } from './call.js';
import { endpoint, jsonBody, param, visible } from './call.js';
import { choice } from './choices.js';
import { groupById, PERMISSION_GROUPS } from './permissions.js';
import type { Reply } from './reply.js';
import { hexId, ok, page, Refusal, single, timestamp } from './reply.js';
import type { PolicyRecord, TokenRecord } from './state.js';

const LIMIT = 500;

const time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));
const ranges = z.array(z.string()).optional();
const resourceMap = z.record(z.string(), z.string());

const tokenSchema = z.object({
  name: z.string('name must have a length').min(1, 'name must have a length').max(120),
  policies: z
    .array(
      z.object({
        effect: z.enum(['allow', 'deny']),
        permission_groups: z.array(z.object({ id: z.string() })).min(1, 'no permission groups'),
        resources: z.record(z.string(), z.union([z.string(), resourceMap])),
      }),
    )
    .min(1, 'policies must not be empty'),
  condition: z
    .object({ request_ip: z.object({ in: ranges, not_in: ranges }).optional() })
    .optional(),
  not_before: time.optional(),
  expires_on: time.optional(),
  status: z.enum(['active', 'disabled']).optional(),
});
type TokenBody = z.output<typeof tokenSchema>;

function policiesOf(body: TokenBody, accountId: string): PolicyRecord[] {
  return body.policies.map((policy) => {
    for (const resource of Object.keys(policy.resources)) {
      const foreign = /^com\.cloudflare\.api\.account\.([0-9a-f]{32})$/.exec(resource)?.[1];
      if (foreign !== undefined && foreign !== accountId) {
        throw new Refusal(400, 1001, `Resource ${resource} is not in this account`);
      }
    }
    const permission_groups = policy.permission_groups.map(({ id }) => {
      const group = groupById(id);
      if (group === undefined) throw new Refusal(400, 1001, `PermissionGroup ${id} not found`);
      return { id, name: group.name };
    });
    return { id: hexId(), effect: policy.effect, permission_groups, resources: policy.resources };
  });
}

/** A token can't give what its maker doesn't have. */
function refuseWidening(call: Call, policies: PolicyRecord[]): void {
  for (const { effect, permission_groups } of policies) {
    if (effect === 'deny') continue;
    for (const group of permission_groups) {
      const name = groupById(group.id)?.name;
      if (name !== undefined && !holds(call.caller, name)) {
        throw new Refusal(403, 10000, 'Authentication error', { reason: `widening: ${name}` });
      }
    }
  }
}

const statusOf = (token: TokenRecord, now: number): string =>
  token.expiresOn !== null && now >= token.expiresOn ? 'expired' : token.status;

const viewToken = (token: TokenRecord, now: number) => ({
  id: token.id,
  name: token.name,
  status: statusOf(token, now),
  issued_on: timestamp(token.issuedAt),
  modified_on: timestamp(token.modifiedAt),
  ...(token.lastUsedAt === null ? {} : { last_used_on: timestamp(token.lastUsedAt) }),
  ...(token.notBefore === null ? {} : { not_before: timestamp(token.notBefore) }),
  ...(token.expiresOn === null ? {} : { expires_on: timestamp(token.expiresOn) }),
  ...(token.condition === null ? {} : { condition: token.condition }),
  policies: token.policies,
});

/** The routes of account-owned tokens. `secret` is the sandbox's: values are its credentials. */
export function tokenEndpoints(secret: string): readonly Endpoint[] {
  const valueOf = (call: Call, token: TokenRecord): string =>
    issueCredential(secret, {
      provider: 'cloudflare',
      world: call.world.name,
      role: tokenRole(token),
    });

  const create = async (call: Call): Promise<Reply> => {
    const body = await jsonBody(call, tokenSchema, 400);
    const accountId = param(call, 'account_id');
    const owned = Object.values(call.state.tokens).filter((token) => token.accountId === accountId);
    if (owned.length >= LIMIT) throw new Refusal(400, 1001, 'Maximum number of tokens reached');
    const policies = policiesOf(body, accountId);
    refuseWidening(call, policies);
    const at = call.now();
    const token: TokenRecord = {
      id: hexId(),
      accountId,
      name: body.name,
      nonce: drawNonce(),
      policies,
      condition: body.condition ?? null,
      status: 'active',
      notBefore: body.not_before ?? null,
      expiresOn: body.expires_on ?? null,
      issuedAt: at,
      modifiedAt: at,
      lastUsedAt: null,
      worksFrom: at + choice(call.state, 'tokens.spread-ms'),
      visibleAt: call.visibleAt,
    };
    call.state.tokens[token.id] = token;
    return ok({ ...viewToken(token, at), value: valueOf(call, token) });
  };

  const roll = (call: Call): Reply => {
    const token = tokenOf(call);
    token.nonce = drawNonce();
    token.modifiedAt = call.now();
    return ok(valueOf(call, token));
  };

  return [
    endpoint('POST', '/accounts/:account_id/tokens', WRITE, create),
    endpoint('GET', '/accounts/:account_id/tokens', READ, list),
    endpoint('GET', '/accounts/:account_id/tokens/verify', { any: 'token' }, verify),
    endpoint('GET', '/accounts/:account_id/tokens/permission_groups', READ, groups),
    endpoint('GET', '/accounts/:account_id/tokens/:token_id', READ, (call) =>
      ok(viewToken(tokenOf(call), call.now())),
    ),
    endpoint('PUT', '/accounts/:account_id/tokens/:token_id', WRITE, update),
    endpoint('DELETE', '/accounts/:account_id/tokens/:token_id', WRITE, remove),
    endpoint('PUT', '/accounts/:account_id/tokens/:token_id/value', WRITE, roll),
  ];
}

const drawNonce = (): string => randomBytes(6).toString('hex');

const READ = { account: 'Account API Tokens Read' } as const;
const WRITE = { account: 'Account API Tokens Write' } as const;

function tokensOf(call: Call): TokenRecord[] {
  return Object.values(call.state.tokens).filter(
    (token) => token.accountId === param(call, 'account_id') && visible(call, token),
  );
}

function tokenOf(call: Call): TokenRecord {
  const found = tokensOf(call).find(({ id }) => id === param(call, 'token_id'));
  if (found === undefined) throw new Refusal(404, 1003, 'Token not found');
  return found;
}

function list(call: Call): Reply {
  const all = call.query.get('include_expired') === 'true';
  const now = call.now();
  const tokens = tokensOf(call)
    .filter((token) => all || statusOf(token, now) !== 'expired')
    .sort((a, b) => a.issuedAt - b.issuedAt);
  if (call.query.get('direction') === 'desc') tokens.reverse();
  return page(
    tokens.map((token) => viewToken(token, now)),
    call.query,
  );
}

function verify(call: Call): Reply {
  if (call.caller.kind !== 'token' || call.caller.token.accountId !== param(call, 'account_id')) {
    throw new Refusal(401, 1000, 'Invalid API Token');
  }
  const { token } = call.caller;
  const { id, status, expires_on, not_before } = viewToken(token, call.now());
  const message = 'This API Token is valid and active';
  return { result: { id, status, expires_on, not_before }, messages: [{ code: 10000, message }] };
}

function groups(call: Call): Reply {
  const name = call.query.get('name');
  const scope = call.query.get('scope');
  return single(
    PERMISSION_GROUPS.filter((group) => name === null || group.name === name).filter(
      (group) => scope === null || group.scopes.some((known) => known === scope),
    ),
  );
}

async function update(call: Call): Promise<Reply> {
  const body = await jsonBody(call, tokenSchema, 400);
  const token = tokenOf(call);
  const policies = policiesOf(body, param(call, 'account_id'));
  refuseWidening(call, policies);
  Object.assign(token, {
    name: body.name,
    policies,
    condition: body.condition ?? null,
    status: body.status ?? token.status,
    notBefore: body.not_before ?? null,
    expiresOn: body.expires_on ?? null,
    modifiedAt: call.now(),
  });
  return ok(viewToken(token, call.now()));
}

function remove(call: Call): Reply {
  const { id } = tokenOf(call);
  Reflect.deleteProperty(call.state.tokens, id);
  return ok({ id });
}
