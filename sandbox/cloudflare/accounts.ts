import { z } from 'zod';
import type { Call, Endpoint } from './call.js';
import { accountOf, endpoint, jsonBody, param, visible } from './call.js';
import { choice } from './choices.js';
import type { Reply } from './reply.js';
import { hexId, ok, page, Refusal, timestamp } from './reply.js';
import type { AccountRecord, CloudflareState, MemberRecord } from './state.js';

/** The user behind our own credentials, accepted in each account that it made. */
export const OUR_USER = 'integration@sandbox.invalid';
const ADMINISTRATOR = 'Super Administrator - All Privileges';

const createSchema = z.object({
  name: z.string('Invalid account name').trim().min(1, 'Invalid account name').max(160),
  type: z.enum(['standard', 'enterprise']).optional(),
  unit: z.object({ id: z.string().optional() }).optional(),
  standalone: z.literal(true).optional(),
});

/** A new account, with card, address book and agreement as the world's choice says. */
export function makeAccount(
  state: CloudflareState,
  made: Pick<AccountRecord, 'name' | 'tenant' | 'linked' | 'owner'> & {
    at: number;
    visibleAt: number;
  },
): AccountRecord {
  const id = hexId();
  const ready = choice(state, 'accounts.new-billing') === 'yes';
  const account: AccountRecord = {
    id,
    name: made.name,
    createdAt: made.at,
    tenant: made.tenant,
    linked: made.linked,
    owner: made.owner,
    addressBook: ready,
    agreementAcceptedAt: ready ? made.at : null,
    paymentMethods: ready ? [visa()] : [],
    fraudBlockedUntil: null,
    visibleAt: made.visibleAt,
  };
  state.accounts[id] = account;
  return account;
}

export const visa = () => ({
  id: hexId(),
  type: 'CREDIT_CARD' as const,
  lastFour: '4242',
  default: true,
});

export function addMember(state: CloudflareState, member: Omit<MemberRecord, 'id'>): MemberRecord {
  const record = { id: hexId(), ...member };
  state.members[record.id] = record;
  return record;
}

const viewAccount = (account: AccountRecord) => ({
  id: account.id,
  name: account.name,
  type: 'standard',
  settings: { enforce_twofactor: false },
  created_on: timestamp(account.createdAt),
  ...(account.tenant ? { managed_by: { parent_org_id: 'organization' } } : {}),
});

async function createAccount(call: Call): Promise<Reply> {
  const body = await jsonBody(call, createSchema, 1001);
  const key = call.header('idempotency-key');
  if (body.unit?.id !== undefined && body.standalone) {
    throw new Refusal(400, 1001, 'Provide either unit.id or standalone, not both');
  }
  if (body.unit?.id === undefined && !body.standalone) {
    throw new Refusal(403, 1002, 'Account creation is forbidden: no organization to create it in');
  }
  if (body.standalone && choice(call.state, 'accounts.standalone') === 'forbidden') {
    throw new Refusal(403, 1002, 'Account creation is forbidden');
  }
  if (body.standalone && !key) {
    throw new Refusal(
      400,
      1001,
      'Free account creation requires exactly one valid Idempotency-Key',
    );
  }
  const request = JSON.stringify(body);
  const known = key === null ? undefined : keyed(call, key);
  if (known !== undefined) {
    // Ours: the documentation does not say what the same key with another request gives.
    if (known.request !== request) {
      throw new Refusal(409, 1001, 'The Idempotency-Key was used with a different request');
    }
    const account = call.state.accounts[known.accountId];
    if (account !== undefined) return ok(viewAccount(account));
  }
  const at = call.now();
  const tenant = body.unit?.id !== undefined;
  const { visibleAt, state } = call;
  const account = makeAccount(state, {
    name: body.name,
    tenant,
    linked: true,
    owner: null,
    at,
    visibleAt,
  });
  const us = { accountId: account.id, email: OUR_USER, status: 'accepted' as const };
  addMember(state, { ...us, roles: [ADMINISTRATOR], visibleAt });
  if (key !== null) state.accountKeys[keyOf(call, key)] = { accountId: account.id, request, at };
  return ok(viewAccount(account));
}

const keyOf = (call: Call, key: string): string =>
  `${call.caller.kind === 'user' ? 'user' : 'other'} ${key}`;

function keyed(call: Call, key: string): CloudflareState['accountKeys'][string] | undefined {
  const known = call.state.accountKeys[keyOf(call, key)];
  if (known === undefined) return undefined;
  return call.now() - known.at < choice(call.state, 'accounts.key-life-ms') ? known : undefined;
}

function listAccounts(call: Call): Reply {
  if (call.caller.kind === 'token') {
    const message = 'List accounts endpoint does not support account owned tokens.';
    throw new Refusal(400, 1001, message);
  }
  const name = call.query.get('name');
  const mine = Object.values(call.state.accounts)
    .filter((account) => account.linked && visible(call, account))
    .filter((account) => name === null || account.name === name);
  mine.sort((a, b) => a.createdAt - b.createdAt);
  if (call.query.get('direction') === 'desc') mine.reverse();
  return page(mine.map(viewAccount), call.query);
}

function deleteAccount(call: Call): Reply {
  const account = accountOf(call);
  if (!account.tenant) {
    throw new Refusal(403, 10405, 'Method not allowed: only tenant admins may delete an account');
  }
  const { state } = call;
  const { id } = account;
  for (const record of Object.values(state.records)) {
    if (state.zones[record.zoneId]?.accountId === id)
      Reflect.deleteProperty(state.records, record.id);
  }
  const { members, subscriptions, tokens, zones, scripts, customDomains } = state;
  const owned: Record<string, { accountId: string }>[] = [members, subscriptions, tokens];
  for (const map of [...owned, zones, scripts, customDomains]) {
    for (const [key, item] of Object.entries(map)) {
      if (item.accountId === id) Reflect.deleteProperty(map, key);
    }
  }
  Reflect.deleteProperty(state.accounts, id);
  return ok({ id });
}

const memberSchema = z.object({
  email: z.email('email is invalid'),
  roles: z.array(z.string()).optional(),
  policies: z.array(z.unknown()).optional(),
  status: z.enum(['accepted', 'pending']).optional(),
});

const viewMember = (member: MemberRecord) => ({
  id: member.id,
  email: member.email,
  status: member.status,
  roles: member.roles.map((name) => ({
    id: name,
    name,
    description: name,
    permissions: {},
  })),
  user: { email: member.email, two_factor_authentication_enabled: false },
});

const membersOf = (call: Call): MemberRecord[] =>
  Object.values(call.state.members).filter(
    (member) => member.accountId === param(call, 'account_id') && visible(call, member),
  );

async function createMember(call: Call): Promise<Reply> {
  const body = await jsonBody(call, memberSchema, 1001);
  if ((body.roles === undefined) === (body.policies === undefined)) {
    throw new Refusal(400, 1001, 'Provide either roles or policies');
  }
  const accountId = param(call, 'account_id');
  const members = Object.values(call.state.members);
  const same = (member: MemberRecord): boolean =>
    member.accountId === accountId && member.email === body.email;
  if (members.some(same)) throw new Refusal(400, 1005, 'User is already a member: already exists');
  // An invitation is accepted by its person alone, whatever status was asked for.
  const member = addMember(call.state, {
    accountId,
    email: body.email,
    status: 'pending',
    roles: body.roles ?? ['policies'],
    visibleAt: call.visibleAt,
  });
  return ok(viewMember(member));
}

function memberOf(call: Call): MemberRecord {
  const member = membersOf(call).find(({ id }) => id === param(call, 'member_id'));
  if (member === undefined) throw new Refusal(404, 1003, 'Member not found for account');
  return member;
}

function deleteMember(call: Call): Reply {
  const { id } = memberOf(call);
  Reflect.deleteProperty(call.state.members, id);
  return ok({ id });
}

const READ = { account: 'Account Settings Read' } as const;
const WRITE = { account: 'Account Settings Write' } as const;

export const accountEndpoints: readonly Endpoint[] = [
  endpoint('POST', '/accounts', { any: 'user' }, createAccount),
  endpoint('GET', '/accounts', { any: 'token' }, listAccounts),
  endpoint('GET', '/accounts/:account_id', READ, (call) => ok(viewAccount(accountOf(call)))),
  endpoint('DELETE', '/accounts/:account_id', WRITE, deleteAccount),
  endpoint('GET', '/accounts/:account_id/members', READ, (call) =>
    page(membersOf(call).map(viewMember), call.query),
  ),
  endpoint('POST', '/accounts/:account_id/members', WRITE, createMember),
  endpoint('GET', '/accounts/:account_id/members/:member_id', READ, (call) =>
    ok(viewMember(memberOf(call))),
  ),
  endpoint('DELETE', '/accounts/:account_id/members/:member_id', WRITE, deleteMember),
];
