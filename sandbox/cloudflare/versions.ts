import { randomUUID } from 'node:crypto';
import type { Call } from './call.js';
import { param, visible } from './call.js';
import { verifyUpload } from './jwt.js';
import { hexId, Refusal, sha256, timestamp } from './reply.js';
import type { AssetsRecord, CloudflareState, ScriptRecord, VersionRecord } from './state.js';
import type { Metadata } from './upload-form.js';
import { bindingsOf, readUpload } from './upload-form.js';

/** Code as the runtime gets it: module sources by name, with a flag for how each is to be read. */
export interface Program {
  readonly mainModule: string;
  readonly modules: Readonly<Record<string, { kind: string; base64: string }>>;
  readonly compatibilityDate: string;
  readonly compatibilityFlags: readonly string[];
}

/** Loads a program in a real runtime, confined. `message` is the runtime's own. */
export type Validate = (
  program: Program,
) => Promise<{ ok: true; startupMs: number; handlers: string[] } | { ok: false; message: string }>;

export const scriptKey = (accountId: string, name: string): string => `${accountId}/${name}`;

export const scriptIn = (
  state: CloudflareState,
  accountId: string,
  name: string,
): ScriptRecord | undefined => {
  const key = scriptKey(accountId, name);
  return Object.hasOwn(state.scripts, key) ? state.scripts[key] : undefined;
};

/** The script of the path. @throws Refusal 404 10007 */
export function scriptOf(call: Call): ScriptRecord {
  const found = scriptIn(call.state, param(call, 'account_id'), param(call, 'script_name'));
  if (found === undefined || !visible(call, found)) {
    throw new Refusal(404, 10007, 'This Worker does not exist on your account.');
  }
  return found;
}

export function programOf(
  state: CloudflareState,
  version: Pick<
    VersionRecord,
    'mainModule' | 'modules' | 'compatibilityDate' | 'compatibilityFlags'
  >,
): Program | null {
  if (version.mainModule === null) return null;
  const modules = Object.fromEntries(
    version.modules.map(({ name, kind, blob }) => [
      name,
      { kind, base64: state.blobs[blob] ?? '' },
    ]),
  );
  const { mainModule, compatibilityDate, compatibilityFlags } = version;
  return { mainModule, modules, compatibilityDate, compatibilityFlags };
}

/** Reads, checks and really loads what was uploaded. Nothing of it is deployed yet. */
export async function uploadedVersion(
  call: Call,
  validate: Validate,
  script: ScriptRecord | undefined,
): Promise<{ version: VersionRecord; metadata: Metadata }> {
  const { metadata, modules } = await readUpload(call.state, call.request);
  const before = script?.versions.at(-1);
  const bindings = bindingsOf(metadata, before?.bindings ?? []);
  const assets = assetsOf(call, metadata, before ?? null);
  if (assets === null && bindings.some(({ type }) => type === 'assets')) {
    throw new Refusal(400, 10021, 'an assets binding needs assets');
  }
  const code = {
    mainModule: metadata.main_module ?? null,
    modules,
    compatibilityDate: metadata.compatibility_date,
    compatibilityFlags: metadata.compatibility_flags,
  };
  const program = programOf(call.state, code);
  const loaded =
    program === null ? { ok: true as const, startupMs: 0, handlers: [] } : await validate(program);
  if (!loaded.ok) throw new Refusal(400, 10021, loaded.message);
  const version: VersionRecord = {
    id: randomUUID(),
    number: (before?.number ?? 0) + 1,
    createdAt: call.now(),
    ...code,
    bindings,
    assets,
    message: metadata.annotations['workers/message'] ?? null,
    tag: metadata.annotations['workers/tag'] ?? null,
    etag: sha256(JSON.stringify([code, bindings, assets?.files ?? null])),
    handlers: loaded.handlers,
    startupMs: loaded.startupMs,
  };
  return { version, metadata };
}

function assetsOf(
  call: Call,
  metadata: Metadata,
  before: VersionRecord | null,
): AssetsRecord | null {
  const { assets } = metadata;
  if (assets?.jwt === undefined && metadata.keep_assets && before?.assets) return before.assets;
  if (assets === undefined) return null;
  const files = filesOf(call, assets.jwt);
  const html = assets.config?.html_handling ?? 'auto-trailing-slash';
  if (html !== 'auto-trailing-slash' && html !== 'none') {
    throw new Refusal(501, 10021, `The sandbox does not handle html_handling "${html}"`);
  }
  const missing = assets.config?.not_found_handling ?? 'none';
  if (!['none', '404-page', 'single-page-application'].includes(missing)) {
    throw new Refusal(400, 10021, `not_found_handling "${missing}" is not known`);
  }
  const first = assets.config?.run_worker_first ?? false;
  if (Array.isArray(first)) {
    throw new Refusal(501, 10021, 'The sandbox takes run_worker_first as a boolean only');
  }
  return {
    files,
    htmlHandling: html,
    notFoundHandling: missing as AssetsRecord['notFoundHandling'],
    runWorkerFirst: first,
  };
}

/** The files of a finished upload session. */
function filesOf(call: Call, jwt: string | undefined): AssetsRecord['files'] {
  const claims = jwt === undefined ? null : verifyUpload(call.state, jwt, call.now());
  if (claims?.kind !== 'completion' || claims.account !== param(call, 'account_id')) {
    throw new Refusal(400, 10021, 'The assets completion token is invalid or has expired');
  }
  const session = call.state.uploads[claims.session];
  if (session?.script !== param(call, 'script_name')) {
    throw new Refusal(400, 10021, 'The assets were uploaded for another Worker');
  }
  const known = call.state.assets[session.accountId] ?? {};
  return Object.fromEntries(
    Object.entries(session.manifest).map(([path, { hash }]) => {
      const asset = known[hash];
      if (asset === undefined) throw new Refusal(400, 10021, `The asset ${path} was not uploaded`);
      return [path, asset];
    }),
  );
}

export function deploy(
  script: ScriptRecord,
  versions: { version_id: string; percentage: number }[],
  at: number,
  message: string | null,
): ScriptRecord['deployments'][number] {
  const deployment = { id: randomUUID(), createdAt: at, message, versions };
  script.deployments.unshift(deployment);
  script.modifiedAt = at;
  return deployment;
}

export function newScript(call: Call): ScriptRecord {
  const accountId = param(call, 'account_id');
  const name = param(call, 'script_name');
  if (!/^[a-z0-9_][a-z0-9_-]{0,62}$/.test(name)) {
    throw new Refusal(400, 10016, `"${name}" is no valid Worker name`);
  }
  const script: ScriptRecord = {
    accountId,
    name,
    tag: hexId(),
    createdAt: call.now(),
    modifiedAt: call.now(),
    tags: [],
    logpush: false,
    observability: { enabled: false, head_sampling_rate: null },
    subdomain: { enabled: false, previews_enabled: false },
    versions: [],
    deployments: [],
    visibleAt: call.visibleAt,
  };
  return script;
}

export const annotationsOf = (version: VersionRecord) => ({
  ...(version.message === null ? {} : { 'workers/message': version.message }),
  ...(version.tag === null ? {} : { 'workers/tag': version.tag }),
  'workers/triggered_by': 'upload',
});

/** Bindings as they may be read: a secret shows its name, never its text. */
export const viewBindings = (version: VersionRecord) =>
  version.bindings.map(({ type, name, text, json }) => ({
    type,
    name,
    ...(type === 'plain_text' ? { text: text ?? '' } : {}),
    ...(type === 'json' ? { json } : {}),
  }));

export const viewVersion = (version: VersionRecord) => ({
  id: version.id,
  number: version.number,
  metadata: {
    created_on: timestamp(version.createdAt),
    modified_on: timestamp(version.createdAt),
    source: 'api',
    author_id: '',
    author_email: '',
    hasPreview: false,
  },
  annotations: annotationsOf(version),
});

export const viewVersionFully = (version: VersionRecord) => ({
  ...viewVersion(version),
  startup_time_ms: version.startupMs,
  resources: {
    bindings: viewBindings(version),
    script: {
      etag: version.etag,
      handlers: version.handlers,
      last_deployed_from: 'api',
    },
    script_runtime: {
      compatibility_date: version.compatibilityDate,
      compatibility_flags: version.compatibilityFlags,
      usage_model: 'standard',
    },
  },
});
