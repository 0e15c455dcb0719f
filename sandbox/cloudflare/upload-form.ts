import { z } from 'zod';
import { formBody } from './call.js';
import { Refusal, sha256 } from './reply.js';
import type { BindingRecord, CloudflareState, ModuleRecord } from './state.js';

/** The metadata part of a Worker upload, as far as this sandbox acts upon it. */
const metadataSchema = z.object({
  main_module: z.string().optional(),
  body_part: z.string().optional(),
  compatibility_date: z
    .string()
    .regex(/^\d{4}-\d{2}-\d{2}$/, 'compatibility_date must be YYYY-MM-DD')
    .default('2021-11-02'),
  compatibility_flags: z.array(z.string()).default([]),
  bindings: z.array(z.looseObject({ type: z.string(), name: z.string().min(1) })).default([]),
  keep_bindings: z.array(z.string()).default([]),
  keep_assets: z.boolean().default(false),
  assets: z
    .object({
      jwt: z.string().optional(),
      config: z
        .object({
          html_handling: z.string().optional(),
          not_found_handling: z.string().optional(),
          run_worker_first: z.union([z.boolean(), z.array(z.string())]).optional(),
        })
        .optional(),
    })
    .optional(),
  annotations: z
    .object({ 'workers/message': z.string().optional(), 'workers/tag': z.string().optional() })
    .default({}),
  tags: z.array(z.string()).optional(),
  logpush: z.boolean().optional(),
  observability: z
    .object({ enabled: z.boolean(), head_sampling_rate: z.number().nullish() })
    .optional(),
});
export type Metadata = z.output<typeof metadataSchema>;

export interface UploadForm {
  metadata: Metadata;
  modules: ModuleRecord[];
}

/** A module as it was sent, with its bytes. */
interface Part {
  name: string;
  contentType: string;
  bytes: Uint8Array;
}

const broken = (message: string): Refusal => new Refusal(400, 10021, message);

/**
 * Reads a Worker upload strictly: a `metadata` part of JSON, and parts named as the modules are. The
 * bracketed form (`metadata[main_module]`) and a body that is no multipart are refused as the real
 * service refuses them.
 */
export async function readUpload(state: CloudflareState, request: Request): Promise<UploadForm> {
  const type = request.headers.get('content-type') ?? '';
  if (!/^multipart\/form-data\s*;.*boundary=/i.test(type)) {
    // The body is taken for a script; what a multipart body is as JavaScript, the real one says too.
    throw broken(
      'Uncaught SyntaxError: Invalid left-hand side expression in postfix operation\n  at worker.js:1:4',
    );
  }
  const form = await formBody(request);
  if (form === null) throw broken('could not read the multipart body');
  const metadata = await readMetadata(form);
  const parts: Part[] = [];
  for (const [name, value] of form.entries()) {
    if (name === 'metadata') continue;
    parts.push(await readPart(name, value));
  }
  const modules = parts.map((part) => keepModule(state, part));
  requireMain(metadata, parts, modules);
  return { metadata, modules };
}

async function readMetadata(form: FormData): Promise<Metadata> {
  const part = form.get('metadata');
  if (part === null) throw broken('could not read content for part metadata');
  const text = typeof part === 'string' ? part : await part.text();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw broken('could not read content for part metadata: not JSON');
  }
  const parsed = metadataSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw broken(`metadata: ${(issue?.path ?? []).map(String).join('.')} ${issue?.message ?? ''}`);
}

async function readPart(name: string, value: string | Blob): Promise<Part> {
  if (typeof value === 'string') {
    return { name, contentType: 'text/plain', bytes: Buffer.from(value) };
  }
  return { name, contentType: value.type, bytes: new Uint8Array(await value.arrayBuffer()) };
}

function kindOf(part: Part): ModuleRecord['kind'] {
  const type = part.contentType.split(';')[0]?.trim().toLowerCase();
  switch (type) {
    case 'application/javascript+module':
    case 'text/javascript+module':
      return 'js';
    case 'application/wasm':
      return 'wasm';
    case 'application/json':
      return 'json';
    case 'text/plain':
      return 'text';
    case 'application/octet-stream':
      return 'data';
    default:
      throw broken(
        `No such module: part "${part.name}" has the content type "${part.contentType}"`,
      );
  }
}

function keepModule(state: CloudflareState, part: Part): ModuleRecord {
  const kind = kindOf(part);
  const blob = sha256(part.bytes);
  state.blobs[blob] = Buffer.from(part.bytes).toString('base64');
  return { name: part.name, kind, blob, contentType: part.contentType };
}

function requireMain(metadata: Metadata, parts: Part[], modules: ModuleRecord[]): void {
  if (metadata.body_part !== undefined) {
    throw new Refusal(501, 10021, 'The sandbox runs ES modules only: use main_module');
  }
  if (metadata.main_module === undefined) {
    if (metadata.assets !== undefined && modules.length === 0) return;
    throw broken('metadata names no main_module');
  }
  const main = modules.find(({ name }) => name === metadata.main_module);
  if (main === undefined) {
    const names = parts.map(({ name }) => name).join(', ');
    throw broken(`No such module "${metadata.main_module}". Parts sent: ${names}`);
  }
  if (main.kind !== 'js') throw broken(`The main module "${main.name}" is no ES module`);
}

/** What a binding of these types refers to can't exist here, as nothing makes it. */
const MISSING: Record<string, [code: number, what: string]> = {
  kv_namespace: [10041, 'KV namespace'],
  r2_bucket: [10085, 'R2 bucket'],
  d1: [10181, 'D1 database'],
  service: [10144, 'service'],
};

/** Checked bindings; those of kept types come over from the version before. */
export function bindingsOf(metadata: Metadata, before: readonly BindingRecord[]): BindingRecord[] {
  const sent = metadata.bindings.map((binding): BindingRecord => {
    const { name } = binding;
    const text = typeof binding['text'] === 'string' ? binding['text'] : '';
    switch (binding.type) {
      case 'plain_text':
      case 'secret_text':
        return { type: binding.type, name, text };
      case 'json':
        return { type: 'json', name, json: binding['json'] };
      case 'assets':
      case 'version_metadata':
        return { type: binding.type, name };
      default: {
        const missing = MISSING[binding.type];
        if (missing === undefined) {
          throw new Refusal(501, 10021, `The sandbox has no binding of type "${binding.type}"`);
        }
        throw new Refusal(400, missing[0], `${missing[1]} of binding "${name}" not found`);
      }
    }
  });
  const kept = before.filter(
    (binding) =>
      metadata.keep_bindings.includes(binding.type) &&
      !sent.some(({ name }) => name === binding.name),
  );
  return [...sent, ...kept];
}
