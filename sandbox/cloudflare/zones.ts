import { z } from 'zod';
import { mayInAccount, mayInZone } from './access.js';
import type { Call, Endpoint } from './call.js';
import { endpoint, jsonBody, visible, zoneOf } from './call.js';
import { choice } from './choices.js';
import { domainName, takenByOthers } from './extensions.js';
import type { Reply } from './reply.js';
import { fixedId, hexId, isHexId, ok, page, Refusal, timestamp } from './reply.js';
import type { CloudflareState, ZoneRecord } from './state.js';

const createSchema = z.object({
  name: z.string('Invalid zone name'),
  account: z.object({ id: z.string() }),
  type: z.enum(['full', 'partial', 'secondary', 'internal']).default('full'),
});

export type ZoneStatus = 'initializing' | 'pending' | 'active';

/** A zone is `pending` until its name servers are seen to be ours. */
export const zoneStatus = (zone: ZoneRecord, now: number): ZoneStatus => {
  if (now < zone.createdAt) return 'initializing';
  return zone.activeAt !== null && now >= zone.activeAt ? 'active' : 'pending';
};

function viewZone(state: CloudflareState, zone: ZoneRecord, now: number) {
  const account = state.accounts[zone.accountId];
  const status = zoneStatus(zone, now);
  return {
    id: zone.id,
    name: zone.name,
    status,
    paused: false,
    type: 'full',
    development_mode: 0,
    name_servers: ['ada.ns.cloudflare.com', 'bob.ns.cloudflare.com'],
    original_name_servers: null,
    original_registrar: zone.fromRegistrar ? 'cloudflare, inc.' : null,
    original_dnshost: null,
    created_on: timestamp(zone.createdAt),
    modified_on: timestamp(zone.createdAt),
    activated_on: status === 'active' && zone.activeAt !== null ? timestamp(zone.activeAt) : null,
    meta: { step: 2, custom_certificate_quota: 0, page_rule_quota: 3, phishing_detected: false },
    owner: { type: 'user' },
    account: { id: zone.accountId, name: account?.name ?? '' },
    permissions: ['#zone:read', '#zone:edit', '#dns_records:read', '#dns_records:edit'],
    plan: {
      id: fixedId('zone plan free'),
      name: 'Free Website',
      price: 0,
      currency: 'USD',
      frequency: '',
      is_subscribed: false,
      can_subscribe: false,
      legacy_id: 'free',
      legacy_discount: false,
      externally_managed: false,
    },
  };
}

/** Reads a filter that clients write as `account.id` or as `account[id]`. */
const nested = (query: URLSearchParams, name: string, member: string): string | null =>
  query.get(`${name}.${member}`) ?? query.get(`${name}[${member}]`);

function listZones(call: Call): Reply {
  const name = call.query.get('name');
  const accountId = nested(call.query, 'account', 'id');
  const status = call.query.get('status');
  const now = call.now();
  const zones = Object.values(call.state.zones)
    .filter((zone) => visible(call, zone) && call.state.accounts[zone.accountId]?.linked)
    .filter((zone) => mayInZone(call.caller, zone.accountId, zone.id, 'Zone Read'))
    .filter((zone) => name === null || zone.name === name)
    .filter((zone) => accountId === null || zone.accountId === accountId)
    .filter((zone) => status === null || zoneStatus(zone, now) === status);
  zones.sort((a, b) => a.name.localeCompare(b.name));
  if (call.query.get('direction') === 'desc') zones.reverse();
  return page(
    zones.map((zone) => viewZone(call.state, zone, now)),
    call.query,
  );
}

async function createZone(call: Call): Promise<Reply> {
  const body = await jsonBody(call, createSchema, 1002);
  const account = call.state.accounts[body.account.id];
  const { id: accountId } = body.account;
  if (!isHexId(accountId) || !account?.linked || !mayCreateIn(call, accountId)) {
    throw new Refusal(403, 9109, 'Unauthorized to access requested resource');
  }
  if (body.name.split('.').length > 2) {
    throw new Refusal(400, 1116, 'Please provide the root domain, not a subdomain of it');
  }
  const name = domainName(body.name);
  if (name === null) throw new Refusal(400, 1002, 'Invalid zone name');
  const zones = Object.values(call.state.zones);
  if (zones.some((zone) => zone.name === name && call.state.accounts[zone.accountId]?.linked)) {
    throw new Refusal(400, 1061, `${name} already exists`);
  }
  const registered = Object.hasOwn(call.state.registrations, name);
  if (!registered && !takenByOthers(call.state, name)) {
    throw new Refusal(400, 1099, `${name} is not a registered domain`);
  }
  const at = call.now();
  const zone: ZoneRecord = {
    id: hexId(),
    accountId,
    name,
    createdAt: at,
    activeAt: registered ? at + choice(call.state, 'zones.activation-ms') : null,
    fromRegistrar: registered,
    visibleAt: call.visibleAt,
  };
  call.state.zones[zone.id] = zone;
  return ok(viewZone(call.state, zone, at));
}

const mayCreateIn = (call: Call, accountId: string): boolean =>
  call.caller.kind === 'user' ||
  mayInAccount(call.caller, accountId, 'Zone Write') ||
  mayInZone(call.caller, accountId, '*', 'Zone Write');

function deleteZone(call: Call): Reply {
  const zone = zoneOf(call);
  if (zoneStatus(zone, call.now()) === 'initializing') {
    throw new Refusal(400, 1003, 'The zone is being initialized and cannot be deleted yet');
  }
  for (const record of Object.values(call.state.records)) {
    if (record.zoneId === zone.id) Reflect.deleteProperty(call.state.records, record.id);
  }
  for (const domain of Object.values(call.state.customDomains)) {
    if (domain.zoneId === zone.id) Reflect.deleteProperty(call.state.customDomains, domain.id);
  }
  Reflect.deleteProperty(call.state.zones, zone.id);
  return ok({ id: zone.id });
}

export const zoneEndpoints: readonly Endpoint[] = [
  endpoint('GET', '/zones', { any: 'token' }, listZones),
  endpoint('POST', '/zones', { any: 'token' }, createZone),
  endpoint('GET', '/zones/:zone_id', { zone: 'Zone Read' }, (call) =>
    ok(viewZone(call.state, zoneOf(call), call.now())),
  ),
  endpoint('DELETE', '/zones/:zone_id', { zone: 'Zone Write' }, deleteZone),
];
