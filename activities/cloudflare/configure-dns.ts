import type Cloudflare from 'cloudflare';
import { z } from 'zod';
import { Failure } from '../../domain/errors.js';
import { DNS_TYPES } from '../../domain/dns-record.js';
import type { Found, Operation, Reversal } from '../../gateway/operation.js';
import type { RecordSeen } from '../../gateway/readers.js';
import { classifyCloudflare } from './errors.js';
import { shortMarker } from './marker.js';
import { dnsOf } from './needs.js';
import { cloudflareReaders } from './readers.js';

const record = z.object({
  type: z.enum(DNS_TYPES),
  name: z.string(),
  content: z.string(),
  ttl: z.int(),
});
const params = z.object({ zone: z.string(), records: z.array(record).min(1) });
type Params = z.infer<typeof params>;

/** Comments hold few characters, so the short form of the effect id stands in them. */
const commentOf = (marker: string): string => `countersign ${shortMarker(marker)}`;

const made = (zone: string, marker: string): Found => ({
  object: `${zone}/${shortMarker(marker)}`,
  capturedMinor: 0,
  fields: { zoneId: zone },
});

const ours = async (client: Cloudflare, zone: string, marker: string): Promise<RecordSeen[]> =>
  (await cloudflareReaders.records(client, zone)).filter(
    ({ comment }) => comment === commentOf(marker),
  );

/** All records in one batch, which Cloudflare applies whole or not at all. */
export const configureDns: Operation<'cloudflare', Params> = {
  name: 'dns.records.batch',
  provider: 'cloudflare',
  keyed: false,
  knownBy: 'marker',
  params,
  token: ({ zone }) => dnsOf(zone),
  send: async ({ client, marker }, { zone, records }) => {
    await client.dns.records.batch({
      zone_id: zone,
      posts: records.map((wanted) => ({ ...wanted, comment: commentOf(marker) })),
    });
    return made(zone, marker);
  },
  find: async ({ client, marker }, { zone }) =>
    (await ours(client, zone, marker)).length > 0
      ? { kind: 'found', ...made(zone, marker) }
      : { kind: 'absent' },
  classify: classifyCloudflare,
};

/** Deletes the records that bear our mark. One that somebody has changed since is theirs. */
export const removeDnsRecords: Reversal<'cloudflare', Params> = {
  name: 'dns.records.delete',
  provider: 'cloudflare',
  token: ({ zone }) => dnsOf(zone),
  inspect: async ({ client, marker }, { zone, records }) => {
    const changed = (await ours(client, zone, marker)).find(
      (seen) =>
        !records.some(
          ({ type, name, content }) =>
            type === seen.type && name === seen.name && content === seen.content,
        ),
    );
    if (changed !== undefined)
      throw new Failure(
        'USED_BY_OTHERS',
        `the record ${changed.type} ${changed.name} was changed since: somebody relies on it`,
        { step: 'configure-dns' },
      );
  },
  reverse: async ({ client, marker }, { zone }) => {
    const deletes = (await ours(client, zone, marker)).map(({ recordId }) => ({ id: recordId }));
    if (deletes.length > 0) await client.dns.records.batch({ zone_id: zone, deletes });
  },
  readBack: async ({ client, marker }, { zone }) => {
    const left = await ours(client, zone, marker);
    return left.length === 0
      ? { done: true, refundedMinor: 0, residue: { minor: 0, text: '' } }
      : { done: false, waitMs: 500, why: `${left.length} DNS records are still there` };
  },
  classify: classifyCloudflare,
};
