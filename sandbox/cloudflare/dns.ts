import { z } from 'zod';
import type { Call, Endpoint } from './call.js';
import { endpoint, jsonBody, param, visible, zoneOf } from './call.js';
import type { RecordBody } from './dns-rules.js';
import { checkedContent, fullName, recordSchema, refuseConflict } from './dns-rules.js';
import type { Reply } from './reply.js';
import { hexId, ok, page, Refusal, timestamp } from './reply.js';
import type { DnsRecord, ZoneRecord } from './state.js';

const PROXIABLE = ['A', 'AAAA', 'CNAME'];

export const viewRecord = (record: DnsRecord) => ({
  id: record.id,
  type: record.type,
  name: record.name,
  content: record.content,
  ttl: record.ttl,
  proxied: record.proxied,
  proxiable: PROXIABLE.includes(record.type),
  ...(record.priority === null ? {} : { priority: record.priority }),
  ...(record.data === null ? {} : { data: record.data }),
  ...(record.comment === null ? {} : { comment: record.comment }),
  tags: record.tags,
  settings: {},
  meta: record.managedBy === null ? {} : { read_only: true, origin_worker_id: record.managedBy },
  created_on: timestamp(record.createdAt),
  modified_on: timestamp(record.modifiedAt),
});

/** The zone's records while a change is worked out: nothing is kept until all of it went well. */
class Draft {
  readonly records: Map<string, DnsRecord>;

  constructor(
    private readonly call: Call,
    private readonly zone: ZoneRecord,
  ) {
    const own = Object.values(call.state.records).filter((record) => record.zoneId === zone.id);
    this.records = new Map(own.map((record) => [record.id, record]));
  }

  post(body: RecordBody): DnsRecord {
    return this.#put({ ...this.#fields(body, null), id: hexId(), createdAt: this.call.now() });
  }

  /** Replaces all of a record (`put`), or what `change` names (`patch`). */
  replace(id: string, body: RecordBody): DnsRecord {
    const { createdAt } = this.#changeable(id);
    return this.#put({ ...this.#fields(body, id), id, createdAt });
  }

  patch(id: string, change: Partial<RecordBody>): DnsRecord {
    const old = this.#changeable(id);
    const body = {
      type: old.type,
      name: old.name,
      content: old.content,
      ttl: old.ttl,
      proxied: old.proxied,
      comment: old.comment,
      tags: old.tags,
      ...(old.priority === null ? {} : { priority: old.priority }),
      ...change,
    };
    return this.replace(id, parseRecord(body));
  }

  remove(id: string): DnsRecord {
    const old = this.#changeable(id);
    this.records.delete(id);
    return old;
  }

  /** Makes the draft the truth. */
  commit(): void {
    const { state } = this.call;
    for (const record of Object.values(state.records)) {
      if (record.zoneId === this.zone.id && !this.records.has(record.id)) {
        Reflect.deleteProperty(state.records, record.id);
      }
    }
    for (const record of this.records.values()) state.records[record.id] = record;
  }

  #put(record: DnsRecord): DnsRecord {
    this.records.set(record.id, record);
    return record;
  }

  #changeable(id: string): DnsRecord {
    const record = this.records.get(id);
    if (record === undefined || !visible(this.call, record)) {
      throw new Refusal(404, 81044, 'Record does not exist.');
    }
    // Ours: the number is not documented; the record is kept by its custom domain.
    if (record.managedBy !== null) throw new Refusal(400, 1043, 'This record is read only.');
    return record;
  }

  #fields(body: RecordBody, except: string | null): Omit<DnsRecord, 'id' | 'createdAt'> {
    const name = fullName(body.name, this.zone);
    const content = checkedContent(body);
    const wanted = { zoneId: this.zone.id, type: body.type, name, content };
    refuseConflict(this.call.state, [...this.records.values()], wanted, except);
    return {
      ...wanted,
      ttl: body.ttl,
      proxied: body.proxied && PROXIABLE.includes(body.type),
      priority: body.priority ?? null,
      data: body.data ?? null,
      comment: body.comment ?? null,
      tags: body.tags ?? [],
      modifiedAt: this.call.now(),
      managedBy: null,
      foreign: false,
      visibleAt: this.call.visibleAt,
    };
  }
}

function parseRecord(body: unknown): RecordBody {
  const parsed = recordSchema.safeParse(body);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new Refusal(400, 1004, `DNS Validation Error: ${issue?.message ?? 'invalid'}`, {
    pointer: `/${(issue?.path ?? []).map(String).join('/')}`,
  });
}

/** A filter is `name`, or `name.exact`, as a client may write it in three ways. */
const exact = (query: URLSearchParams, name: string): string | null =>
  query.get(name) ?? query.get(`${name}.exact`) ?? query.get(`${name}[exact]`);

function list(call: Call): Reply {
  const zone = zoneOf(call);
  const wanted = (['type', 'name', 'content', 'comment'] as const).flatMap((field) => {
    const value = exact(call.query, field);
    return value === null
      ? []
      : [[field, field === 'name' ? fullName(value, zone) : value] as const];
  });
  const any = call.query.get('match') === 'any' && wanted.length > 0;
  const records = Object.values(call.state.records)
    .filter((record) => record.zoneId === zone.id && visible(call, record))
    .filter((record) => {
      const hits = wanted.filter(([field, value]) => record[field] === value);
      return any ? hits.length > 0 : hits.length === wanted.length;
    });
  records.sort((a, b) => a.name.localeCompare(b.name) || a.createdAt - b.createdAt);
  return page(records.map(viewRecord), call.query, 100);
}

function get(call: Call): Reply {
  const zone = zoneOf(call);
  const record = call.state.records[param(call, 'record_id')];
  if (record?.zoneId !== zone.id || !visible(call, record)) {
    throw new Refusal(404, 81044, 'Record does not exist.');
  }
  return ok(viewRecord(record));
}

/** Runs one change on a draft and keeps it. */
const changing =
  (
    change: (draft: Draft, id: string, body: unknown) => DnsRecord,
    view: (r: DnsRecord) => unknown,
  ) =>
  async (call: Call): Promise<Reply> => {
    const draft = new Draft(call, zoneOf(call));
    const withBody = call.request.method !== 'DELETE';
    const body: unknown = withBody ? await jsonBody(call, z.unknown(), 9207) : undefined;
    const record = change(draft, call.params['record_id'] ?? '', body);
    draft.commit();
    return ok(view(record));
  };

const change = recordSchema.partial();
const batchSchema = z.object({
  deletes: z.array(z.object({ id: z.string() })).nullish(),
  patches: z.array(z.looseObject({ id: z.string() })).nullish(),
  puts: z.array(z.looseObject({ id: z.string() })).nullish(),
  posts: z.array(z.unknown()).nullish(),
});

/** All or nothing, in the order deletes, patches, puts, posts. */
async function batch(call: Call): Promise<Reply> {
  const body = await jsonBody(call, batchSchema, 9207);
  const draft = new Draft(call, zoneOf(call));
  const deletes = (body.deletes ?? []).map(({ id }) => draft.remove(id));
  const patches = (body.patches ?? []).map((item) => draft.patch(item.id, parseChange(item)));
  const puts = (body.puts ?? []).map((item) => draft.replace(item.id, parseRecord(item)));
  const posts = (body.posts ?? []).map((item) => draft.post(parseRecord(item)));
  draft.commit();
  const view = (records: DnsRecord[]): unknown[] => records.map(viewRecord);
  return ok({
    deletes: view(deletes),
    patches: view(patches),
    puts: view(puts),
    posts: view(posts),
  });
}

/** A patch names what changes: defaults must not slip in for what it leaves out. */
function parseChange(item: unknown): Partial<RecordBody> {
  const parsed = change.safeParse(item);
  if (!parsed.success || typeof item !== 'object' || item === null) {
    throw new Refusal(400, 1004, 'DNS Validation Error: invalid patch');
  }
  const named = Object.entries(parsed.data).filter(([key]) => Object.hasOwn(item, key));
  return Object.fromEntries(named);
}

const READ = { zone: 'DNS Read' } as const;
const WRITE = { zone: 'DNS Write' } as const;
const BASE = '/zones/:zone_id/dns_records';
const idOf = ({ id }: DnsRecord) => ({ id });

export const dnsEndpoints: readonly Endpoint[] = [
  endpoint('GET', BASE, READ, list),
  endpoint('POST', `${BASE}/batch`, WRITE, batch),
  endpoint(
    'POST',
    BASE,
    WRITE,
    changing((draft, _, body) => draft.post(parseRecord(body)), viewRecord),
  ),
  endpoint('GET', `${BASE}/:record_id`, READ, get),
  endpoint(
    'PUT',
    `${BASE}/:record_id`,
    WRITE,
    changing((draft, id, body) => draft.replace(id, parseRecord(body)), viewRecord),
  ),
  endpoint(
    'PATCH',
    `${BASE}/:record_id`,
    WRITE,
    changing((draft, id, body) => draft.patch(id, parseChange(body)), viewRecord),
  ),
  endpoint(
    'DELETE',
    `${BASE}/:record_id`,
    WRITE,
    changing((draft, id) => draft.remove(id), idOf),
  ),
];
