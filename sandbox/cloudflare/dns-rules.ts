import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import { choice } from './choices.js';
import { Refusal } from './reply.js';
import type { CloudflareState, DnsRecord, ZoneRecord } from './state.js';

const TYPES = [
  'A',
  'AAAA',
  'CNAME',
  'MX',
  'NS',
  'TXT',
  'CAA',
  'SRV',
  'PTR',
  'HTTPS',
  'SVCB',
  'URI',
  'TLSA',
] as const;

export const recordSchema = z.object({
  type: z.enum(TYPES, 'Invalid type.'),
  name: z.string('DNS name is invalid.').min(1, 'DNS name is invalid.').max(255),
  content: z.string().optional(),
  data: z.record(z.string(), z.unknown()).optional(),
  ttl: z.number().default(1),
  proxied: z.boolean().default(false),
  priority: z.int().min(0).max(65535).optional(),
  comment: z.string().max(500).nullish(),
  tags: z.array(z.string()).optional(),
});
export type RecordBody = z.output<typeof recordSchema>;

const HOSTNAME = /^(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_-]{1,63}\.?$/i;

/** The full name, in lower case: `@` is the zone, and a name outside it gets the zone appended. */
export function fullName(name: string, zone: ZoneRecord): string {
  const lower = name.toLowerCase().replace(/\.$/, '');
  if (lower === '@' || lower === zone.name) return zone.name;
  return lower.endsWith(`.${zone.name}`) ? lower : `${lower}.${zone.name}`;
}

const invalid = (code: number, message: string): Refusal =>
  new Refusal(400, code, message, { chain: [{ code, message }] });

/** The content as stored. @throws Refusal 9005 and its like for content that the type can't hold. */
export function checkedContent(body: RecordBody): string {
  const content = body.content ?? (body.data === undefined ? '' : JSON.stringify(body.data));
  if (content === '') throw invalid(1004, 'DNS Validation Error: content is required.');
  if (body.ttl !== 1 && (body.ttl < 60 || body.ttl > 86_400)) {
    throw invalid(9021, 'Invalid TTL. Must be between 60 and 86400 seconds, or 1 for Automatic.');
  }
  if (body.type === 'A' && !isIPv4(content)) {
    throw invalid(9005, 'Content for A record must be a valid IPv4 address.');
  }
  if (body.type === 'AAAA' && !isIPv6(content)) {
    throw invalid(9005, 'Content for AAAA record must be a valid IPv6 address.');
  }
  if ((body.type === 'CNAME' || body.type === 'NS') && !HOSTNAME.test(content)) {
    throw invalid(9005, `Content for ${body.type} record is invalid.`);
  }
  if (body.type === 'MX' && body.priority === undefined) {
    throw invalid(9005, 'Priority is required for MX records.');
  }
  return body.type === 'CNAME' || body.type === 'NS' ? content.replace(/\.$/, '') : content;
}

const ADDRESS = ['A', 'AAAA', 'CNAME'];

/** Refuses what can't stand beside the records that are there. `except` is the record being changed. */
export function refuseConflict(
  state: CloudflareState,
  records: readonly DnsRecord[],
  wanted: Pick<DnsRecord, 'zoneId' | 'type' | 'name' | 'content'>,
  except: string | null,
): void {
  const beside = records.filter(
    (record) =>
      record.zoneId === wanted.zoneId && record.name === wanted.name && record.id !== except,
  );
  const twin = beside.find(
    (record) => record.type === wanted.type && record.content === wanted.content,
  );
  if (twin !== undefined) {
    const code = choice(state, 'dns.duplicate-code');
    const message =
      code === 81057 ? 'The record already exists.' : 'An identical record already exists.';
    throw invalid(code, message);
  }
  const clash =
    wanted.type === 'CNAME'
      ? beside.some((record) => ADDRESS.includes(record.type))
      : ADDRESS.includes(wanted.type) && beside.some((record) => record.type === 'CNAME');
  if (clash) {
    throw invalid(81053, 'An A, AAAA, or CNAME record with that host already exists.');
  }
}
