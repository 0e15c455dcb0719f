import { z } from 'zod';
import type { Call, Endpoint } from './call.js';
import { endpoint, jsonBody, param, pause, visible } from './call.js';
import { choice } from './choices.js';
import type { Reply } from './reply.js';
import { ok, page, Refusal, single, timestamp } from './reply.js';
import type { DeploymentRecord, ScriptRecord, VersionRecord } from './state.js';
import type { Validate } from './versions.js';
import {
  annotationsOf,
  deploy,
  newScript,
  scriptIn,
  scriptKey,
  scriptOf,
  uploadedVersion,
  viewBindings,
  viewVersion,
  viewVersionFully,
} from './versions.js';

/** The version that takes most of the live traffic, or the newest if nothing is deployed. */
function currentVersion(script: ScriptRecord): VersionRecord {
  const live = script.deployments[0]?.versions ?? [];
  const most = [...live].sort((a, b) => b.percentage - a.percentage)[0];
  const version =
    script.versions.find(({ id }) => id === most?.version_id) ?? script.versions.at(-1);
  if (version === undefined) throw new Error(`Worker ${script.name} has no version`);
  return version;
}

function viewScript(script: ScriptRecord) {
  const version = currentVersion(script);
  return {
    id: script.name,
    tag: script.tag,
    tags: script.tags,
    etag: version.etag,
    created_on: timestamp(script.createdAt),
    modified_on: timestamp(script.modifiedAt),
    compatibility_date: version.compatibilityDate,
    compatibility_flags: version.compatibilityFlags,
    handlers: version.handlers,
    has_assets: version.assets !== null,
    has_modules: version.mainModule !== null,
    last_deployed_from: 'api',
    logpush: script.logpush,
    observability: script.observability,
    usage_model: 'standard',
    named_handlers: [],
  };
}

function applySettings(
  script: ScriptRecord,
  sent: {
    tags?: string[] | null | undefined;
    logpush?: boolean | undefined;
    observability?:
      { enabled: boolean; head_sampling_rate?: number | null | undefined } | undefined;
  },
): void {
  if (sent.tags !== undefined) script.tags = sent.tags ?? [];
  script.logpush = sent.logpush ?? script.logpush;
  if (sent.observability !== undefined) {
    const { enabled, head_sampling_rate } = sent.observability;
    script.observability = { enabled, head_sampling_rate: head_sampling_rate ?? null };
  }
}

/** Uploads and deploys to all traffic: the same call twice leaves the same site. */
const upload =
  (validate: Validate) =>
  async (call: Call): Promise<Reply> => {
    const before = scriptIn(call.state, param(call, 'account_id'), param(call, 'script_name'));
    const made = before ?? newScript(call);
    const { version, metadata } = await uploadedVersion(call, validate, before);
    // Another upload may have come in while this one was being loaded.
    const script = scriptIn(call.state, made.accountId, made.name) ?? made;
    version.number = (script.versions.at(-1)?.number ?? 0) + 1;
    script.versions.push(version);
    applySettings(script, metadata);
    deploy(script, [{ version_id: version.id, percentage: 100 }], call.now(), version.message);
    call.state.scripts[scriptKey(script.accountId, script.name)] = script;
    return ok({
      ...viewScript(script),
      entry_point: version.mainModule ?? '',
      startup_time_ms: version.startupMs,
    });
  };

function listScripts(call: Call): Reply {
  const mine = Object.values(call.state.scripts).filter(
    (script) => script.accountId === param(call, 'account_id') && visible(call, script),
  );
  return single(mine.sort((a, b) => a.name.localeCompare(b.name)).map(viewScript));
}

/** The live version's modules as they were sent: a multipart body, as the real service answers. */
function getContent(call: Call): Reply {
  const script = scriptOf(call);
  const version = currentVersion(script);
  const form = new FormData();
  for (const { name, blob, contentType } of version.modules) {
    const bytes = Buffer.from(call.state.blobs[blob] ?? '', 'base64');
    form.append(name, new File([bytes], name, { type: contentType }));
  }
  const headers = { 'cf-entrypoint': version.mainModule ?? '', etag: `"${version.etag}"` };
  return { result: null, bare: new Response(form, { headers }) };
}

/** One delete at a time in an account: a second one meanwhile fails, as seen with the real service. */
async function deleteScript(call: Call): Promise<Reply> {
  const script = scriptOf(call);
  const { state } = call;
  const busyUntil = state.deleting[script.accountId] ?? 0;
  if (call.now() < busyUntil) throw new Refusal(500, 10013, 'An unknown error has occurred.');
  const bound = Object.values(state.customDomains).filter(
    (domain) => domain.accountId === script.accountId && domain.service === script.name,
  );
  if (bound.length > 0 && call.query.get('force') !== 'true') {
    const hosts = bound.map(({ hostname }) => hostname).join(', ');
    throw new Refusal(400, 10064, `The Worker is still attached to ${hosts}`);
  }
  const until = call.now() + choice(state, 'workers.delete-ms');
  state.deleting[script.accountId] = until;
  while (call.now() < until) await pause(10);
  for (const domain of bound) {
    Reflect.deleteProperty(state.records, domain.recordId);
    Reflect.deleteProperty(state.customDomains, domain.id);
  }
  Reflect.deleteProperty(state.scripts, scriptKey(script.accountId, script.name));
  return ok(null);
}

const settingsSchema = z.object({
  tags: z.array(z.string()).nullish(),
  logpush: z.boolean().optional(),
  observability: z
    .object({ enabled: z.boolean(), head_sampling_rate: z.number().nullish() })
    .optional(),
});

const viewSettings = (script: ScriptRecord) => ({
  tags: script.tags,
  logpush: script.logpush,
  observability: script.observability,
  tail_consumers: null,
});

function viewVersionSettings(script: ScriptRecord) {
  const version = currentVersion(script);
  return {
    ...viewSettings(script),
    annotations: annotationsOf(version),
    bindings: viewBindings(version),
    compatibility_date: version.compatibilityDate,
    compatibility_flags: version.compatibilityFlags,
    usage_model: 'standard',
  };
}

async function editSettings(call: Call): Promise<Reply> {
  const body = await jsonBody(call, settingsSchema, 10000);
  const script = scriptOf(call);
  applySettings(script, body);
  return ok(viewSettings(script));
}

const createVersion =
  (validate: Validate) =>
  async (call: Call): Promise<Reply> => {
    const script = scriptOf(call);
    const { version } = await uploadedVersion(call, validate, script);
    version.number = (script.versions.at(-1)?.number ?? 0) + 1;
    script.versions.push(version);
    return ok(viewVersionFully(version));
  };

function listVersions(call: Call): Reply {
  const versions = [...scriptOf(call).versions].reverse().map(viewVersion);
  const { result, info } = page(versions, call.query);
  return { result: { items: result }, ...(info ? { info } : {}) };
}

function versionOf(script: ScriptRecord, id: string): VersionRecord {
  const version = script.versions.find((known) => known.id === id);
  if (version === undefined) throw new Refusal(404, 10071, `Version ${id} not found`);
  return version;
}

const viewDeployment = (deployment: DeploymentRecord) => ({
  id: deployment.id,
  created_on: timestamp(deployment.createdAt),
  source: 'api',
  strategy: 'percentage',
  author_email: '',
  versions: deployment.versions,
  annotations: {
    ...(deployment.message === null ? {} : { 'workers/message': deployment.message }),
    'workers/triggered_by': 'deployment',
  },
});

/** Newest first, in one list: the first is live. */
function listDeployments(call: Call): Reply {
  const { deployments } = scriptOf(call);
  return ok({ deployments: deployments.map(viewDeployment) });
}

const deploymentSchema = z.object({
  strategy: z.literal('percentage'),
  versions: z
    .array(z.object({ version_id: z.string(), percentage: z.number().min(0.01).max(100) }))
    .min(1)
    .max(2),
  annotations: z.object({ 'workers/message': z.string().optional() }).optional(),
});

async function createDeployment(call: Call): Promise<Reply> {
  const body = await jsonBody(call, deploymentSchema, 10336);
  const script = scriptOf(call);
  for (const { version_id } of body.versions) versionOf(script, version_id);
  const sum = body.versions.reduce((total, { percentage }) => total + percentage, 0);
  if (sum !== 100) throw new Refusal(400, 10336, `The percentages must sum to 100, not ${sum}`);
  const message = body.annotations?.['workers/message'] ?? null;
  return ok(viewDeployment(deploy(script, body.versions, call.now(), message)));
}

function deploymentOf(call: Call): DeploymentRecord {
  const found = scriptOf(call).deployments.find(({ id }) => id === param(call, 'deployment_id'));
  if (found === undefined) throw new Refusal(404, 10336, 'Deployment not found');
  return found;
}

function deleteDeployment(call: Call): Reply {
  const script = scriptOf(call);
  const deployment = deploymentOf(call);
  if (script.deployments[0] === deployment) {
    throw new Refusal(400, 10336, 'The live deployment cannot be deleted');
  }
  script.deployments = script.deployments.filter((other) => other !== deployment);
  return ok(null);
}

const READ = { account: 'Workers Scripts Read' } as const;
const WRITE = { account: 'Workers Scripts Write' } as const;
const SCRIPTS = '/accounts/:account_id/workers/scripts';
const SCRIPT = `${SCRIPTS}/:script_name`;

/** The routes of Workers. `validate` really loads what is uploaded. */
export function workerEndpoints(validate: Validate): readonly Endpoint[] {
  return [
    endpoint('GET', SCRIPTS, READ, listScripts),
    endpoint('PUT', SCRIPT, WRITE, upload(validate)),
    endpoint('GET', SCRIPT, READ, getContent),
    endpoint('DELETE', SCRIPT, WRITE, deleteScript),
    endpoint('GET', `${SCRIPT}/settings`, READ, (call) => ok(viewVersionSettings(scriptOf(call)))),
    endpoint('GET', `${SCRIPT}/script-settings`, READ, (call) => ok(viewSettings(scriptOf(call)))),
    endpoint('PATCH', `${SCRIPT}/script-settings`, WRITE, editSettings),
    endpoint('POST', `${SCRIPT}/versions`, WRITE, createVersion(validate)),
    endpoint('GET', `${SCRIPT}/versions`, READ, listVersions),
    endpoint('GET', `${SCRIPT}/versions/:version_id`, READ, (call) =>
      ok(viewVersionFully(versionOf(scriptOf(call), param(call, 'version_id')))),
    ),
    endpoint('GET', `${SCRIPT}/deployments`, READ, listDeployments),
    endpoint('POST', `${SCRIPT}/deployments`, WRITE, createDeployment),
    endpoint('GET', `${SCRIPT}/deployments/:deployment_id`, READ, (call) =>
      ok(viewDeployment(deploymentOf(call))),
    ),
    endpoint('DELETE', `${SCRIPT}/deployments/:deployment_id`, WRITE, deleteDeployment),
  ];
}
