import { z } from 'zod';
import type { CloudflareWorld } from './cloudflare.js';
import {
  about,
  isOver,
  named,
  ofStep,
  shortForm,
  type OurEffect,
  type OurRecords,
  type Sheet,
} from './records.js';

export interface RecordHeld {
  readonly id: string;
  readonly zone: string;
  readonly type: string;
  /** Fully qualified, lower case. */
  readonly name: string;
  readonly content: string;
  readonly ttl: number;
  readonly comment: string | undefined;
  /** Kept by Cloudflare itself, for a custom domain. */
  readonly managed: boolean;
}

const wantedSchema = z.array(
  z.object({ type: z.string(), name: z.string(), content: z.string(), ttl: z.int() }),
);
type Wanted = z.infer<typeof wantedSchema>[number];

const markOf = (comment: string | undefined): string | undefined =>
  /^countersign ([0-9a-f]{32})$/.exec(comment ?? '')?.[1];

const fits = (wanted: Wanted, seen: RecordHeld): boolean =>
  wanted.type === seen.type &&
  wanted.name.toLowerCase() === seen.name &&
  wanted.content === seen.content &&
  wanted.ttl === seen.ttl;

/** Records bear a short form of the effect that made them; contents are compared and never told. */
export function compareDns(sheet: Sheet, records: OurRecords, world: CloudflareWorld): void {
  const effects = ofStep(records, 'configure-dns');
  const byMark = new Map(effects.map((effect) => [shortForm(effect.effectId), effect] as const));
  for (const record of world.records) {
    const mark = markOf(record.comment);
    const effect = mark === undefined ? undefined : byMark.get(mark);
    if (mark === undefined) {
      if (!record.managed) sheet.unmanaged.push({ kind: 'dns-record', object: record.id });
    } else if (effect === undefined || isOver(effect))
      sheet.find({
        name: `orphan/cloudflare/dns-record/${record.id}`,
        kind: 'orphan',
        object: record.id,
        ...(effect === undefined ? {} : about(effect)),
        text: `the record ${record.type} ${record.name} bears a mark of ours, and ${effect === undefined ? 'no effect on record accounts for it' : `${named(effect.effectId)} is taken back`}`,
      });
  }
  const zones = new Set(world.zones.map(({ id }) => id));
  for (const effect of effects) if (effect.state === 'stands') changed(sheet, effect, world, zones);
}

function changed(
  sheet: Sheet,
  effect: OurEffect,
  world: CloudflareWorld,
  zones: ReadonlySet<string>,
): void {
  const wanted = wantedSchema.safeParse(effect.params['records']);
  const zone = effect.fields['zoneId'] ?? '';
  if (!wanted.success || !(zones.has(zone) || effect.account === world.account)) return;
  const ours = world.records.filter(
    (record) => record.zone === zone && markOf(record.comment) === shortForm(effect.effectId),
  );
  const missing = wanted.data.filter((one) => !ours.some((record) => fits(one, record)));
  const other = ours.filter((record) => !wanted.data.some((one) => fits(one, record)));
  const places = new Set(
    [...missing, ...other].map(({ name, type }) => `${type} ${name.toLowerCase()}`),
  );
  for (const place of places) {
    const still = other.some(({ name, type }) => `${type} ${name}` === place);
    sheet.find({
      name: `dns-changed/cloudflare/${zone}/${place}`,
      kind: 'dns-changed',
      object: place,
      ...about(effect),
      text: `the record ${place} is ${still ? 'not as' : 'gone, though'} ${effect.runId} ${still ? 'made it' : 'had made it'}`,
    });
  }
}
