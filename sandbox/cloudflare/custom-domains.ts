import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Call, Endpoint } from './call.js';
import { endpoint, jsonBody, param, visible } from './call.js';
import { choice } from './choices.js';
import type { Reply } from './reply.js';
import { hexId, ok, Refusal, single } from './reply.js';
import type { CustomDomainRecord, DnsRecord, ZoneRecord } from './state.js';
import { scriptIn } from './versions.js';
import { zoneStatus } from './zones.js';

const attachSchema = z.object({
  hostname: z.string().toLowerCase().min(1),
  service: z.string().min(1),
  zone_id: z.string().optional(),
  zone_name: z.string().optional(),
  environment: z.string().optional(),
  override_existing_origin: z.boolean().default(false),
  override_existing_dns_record: z.boolean().default(false),
});

const viewDomain = (domain: CustomDomainRecord) => ({
  id: domain.id,
  hostname: domain.hostname,
  service: domain.service,
  zone_id: domain.zoneId,
  zone_name: domain.zoneName,
  cert_id: domain.certId,
  environment: 'production',
});

const within = (hostname: string, zone: string): boolean =>
  hostname === zone || hostname.endsWith(`.${zone}`);

function zoneFor(call: Call, body: z.output<typeof attachSchema>): ZoneRecord {
  const accountId = param(call, 'account_id');
  const zone = Object.values(call.state.zones).find(
    (known) =>
      known.accountId === accountId &&
      visible(call, known) &&
      within(body.hostname, known.name) &&
      (body.zone_id === undefined || known.id === body.zone_id) &&
      (body.zone_name === undefined || known.name === body.zone_name),
  );
  // Ours: neither number is documented.
  if (zone === undefined) {
    throw new Refusal(400, 100113, `No zone of this account holds ${body.hostname}`);
  }
  if (zoneStatus(zone, call.now()) !== 'active') {
    throw new Refusal(400, 100115, `The zone ${zone.name} is not active`);
  }
  return zone;
}

/** Attaches a hostname to a Worker, with its DNS record and certificate; the same call again changes nothing. */
async function attach(call: Call): Promise<Reply> {
  const body = await jsonBody(call, attachSchema, 10000);
  const accountId = param(call, 'account_id');
  const { state } = call;
  if (scriptIn(state, accountId, body.service) === undefined) {
    throw new Refusal(404, 10007, 'This Worker does not exist on your account.');
  }
  const zone = zoneFor(call, body);
  const known = Object.values(state.customDomains).find(
    ({ hostname }) => hostname === body.hostname,
  );
  if (known !== undefined) {
    if (known.service !== body.service && !body.override_existing_origin) {
      const message = `Hostname '${body.hostname}' already in use by another custom domain`;
      throw new Refusal(409, 100116, message);
    }
    known.service = body.service;
    return ok(viewDomain(known));
  }
  const beside = Object.values(state.records).filter(
    ({ zoneId, name, type }) =>
      zoneId === zone.id && name === body.hostname && ['A', 'AAAA', 'CNAME'].includes(type),
  );
  if (beside.length > 0 && !body.override_existing_dns_record) {
    const message = `Hostname '${body.hostname}' already has externally managed DNS records`;
    throw new Refusal(409, 100117, message);
  }
  for (const { id } of beside) Reflect.deleteProperty(state.records, id);
  const now = call.now();
  const id = hexId();
  const record = managedRecord(call, zone, body.hostname, id);
  state.records[record.id] = record;
  const domain: CustomDomainRecord = {
    id,
    accountId,
    zoneId: zone.id,
    zoneName: zone.name,
    hostname: body.hostname,
    service: body.service,
    certId: randomUUID(),
    certActiveAt: now + choice(state, 'certificates.issue-ms'),
    createdAt: now,
    recordId: record.id,
    visibleAt: call.visibleAt,
  };
  state.customDomains[id] = domain;
  return ok(viewDomain(domain));
}

const managedRecord = (
  call: Call,
  zone: ZoneRecord,
  name: string,
  managedBy: string,
): DnsRecord => ({
  id: hexId(),
  zoneId: zone.id,
  type: 'AAAA',
  name,
  content: '100::',
  ttl: 1,
  proxied: true,
  priority: null,
  data: null,
  comment: null,
  tags: [],
  createdAt: call.now(),
  modifiedAt: call.now(),
  managedBy,
  foreign: false,
  visibleAt: call.visibleAt,
});

function list(call: Call): Reply {
  const filters = [
    ['hostname', 'hostname'],
    ['service', 'service'],
    ['zone_id', 'zoneId'],
    ['zone_name', 'zoneName'],
  ] as const;
  const mine = Object.values(call.state.customDomains)
    .filter((domain) => domain.accountId === param(call, 'account_id') && visible(call, domain))
    .filter((domain) =>
      filters.every(([name, field]) => {
        const wanted = call.query.get(name);
        return wanted === null || domain[field] === wanted;
      }),
    );
  return single(mine.map(viewDomain));
}

function domainOf(call: Call): CustomDomainRecord {
  const domain = call.state.customDomains[param(call, 'domain_id')];
  if (domain?.accountId !== param(call, 'account_id') || !visible(call, domain)) {
    throw new Refusal(404, 100114, 'Custom domain not found');
  }
  return domain;
}

/** The DNS record that the domain kept goes with it. */
function detach(call: Call): Reply {
  const domain = domainOf(call);
  Reflect.deleteProperty(call.state.records, domain.recordId);
  Reflect.deleteProperty(call.state.customDomains, domain.id);
  return ok(null);
}

const subdomainSchema = z.object({
  enabled: z.boolean(),
  previews_enabled: z.boolean().optional(),
});

async function setScriptSubdomain(call: Call): Promise<Reply> {
  const body = await jsonBody(call, subdomainSchema, 10000);
  const script = scriptFor(call);
  const { enabled, previews_enabled = enabled } = body;
  script.subdomain = { enabled, previews_enabled };
  return ok(script.subdomain);
}

function scriptFor(call: Call) {
  const script = scriptIn(call.state, param(call, 'account_id'), param(call, 'script_name'));
  if (script === undefined) {
    throw new Refusal(404, 10007, 'This Worker does not exist on your account.');
  }
  return script;
}

const accountSubdomainSchema = z.object({
  subdomain: z.string().regex(/^[a-z0-9-]{1,63}$/, 'Invalid subdomain'),
});

async function setAccountSubdomain(call: Call): Promise<Reply> {
  const { subdomain } = await jsonBody(call, accountSubdomainSchema, 10031);
  const accountId = param(call, 'account_id');
  const owner = Object.entries(call.state.accountSubdomains).find(([, name]) => name === subdomain);
  if (owner !== undefined && owner[0] !== accountId) {
    throw new Refusal(409, 10036, 'This subdomain exists already');
  }
  call.state.accountSubdomains[accountId] = subdomain;
  return ok({ subdomain });
}

function getAccountSubdomain(call: Call): Reply {
  const subdomain = call.state.accountSubdomains[param(call, 'account_id')];
  if (subdomain === undefined) throw new Refusal(404, 10007, 'No workers.dev subdomain yet');
  return ok({ subdomain });
}

const READ = { account: 'Workers Scripts Read' } as const;
const WRITE = { account: 'Workers Scripts Write' } as const;
const DOMAINS = '/accounts/:account_id/workers/domains';
const SUBDOMAIN = '/accounts/:account_id/workers/subdomain';
const SCRIPT_SUBDOMAIN = '/accounts/:account_id/workers/scripts/:script_name/subdomain';

export const customDomainEndpoints: readonly Endpoint[] = [
  endpoint('PUT', DOMAINS, WRITE, attach),
  endpoint('GET', DOMAINS, READ, list),
  endpoint('GET', `${DOMAINS}/:domain_id`, READ, (call) => ok(viewDomain(domainOf(call)))),
  endpoint('DELETE', `${DOMAINS}/:domain_id`, WRITE, detach),
  endpoint('PUT', SUBDOMAIN, WRITE, setAccountSubdomain),
  endpoint('GET', SUBDOMAIN, READ, getAccountSubdomain),
  endpoint('POST', SCRIPT_SUBDOMAIN, WRITE, setScriptSubdomain),
  endpoint('GET', SCRIPT_SUBDOMAIN, READ, (call) => ok(scriptFor(call).subdomain)),
  endpoint('DELETE', SCRIPT_SUBDOMAIN, WRITE, (call) => {
    const script = scriptFor(call);
    script.subdomain = { enabled: false, previews_enabled: false };
    return ok(script.subdomain);
  }),
];
