import { choice } from '../cloudflare/choices.js';
import type { AssetRecord, AssetsRecord, CloudflareState } from '../cloudflare/state.js';
import { cloudflareState } from '../cloudflare/state.js';
import type { ScriptRecord, VersionRecord } from '../cloudflare/state.js';
import type { Program } from '../cloudflare/versions.js';
import { programOf, scriptIn } from '../cloudflare/versions.js';
import { zoneStatus } from '../cloudflare/zones.js';
import type { World, Worlds } from '../core/world.js';

/** The version that answers a request. */
export interface Site {
  readonly world: World;
  /** Names the version among all worlds: what is loaded under it never changes. */
  readonly key: string;
  readonly version: VersionRecord;
}

/** Why nobody answers, as Cloudflare's edge says it: an HTTP status and the number in its body. */
export interface NoSite {
  readonly status: number;
  readonly code: number;
}

/** What a runtime needs to run a version. */
export interface Loadable {
  readonly program: Program;
  readonly env: Readonly<Record<string, unknown>>;
  /** The name under which the code finds its static files. */
  readonly assetsBinding: string | null;
}

/** No name leads here: no active zone, or no custom domain for the host. */
const NO_NAME: NoSite = { status: 530, code: 1016 };
/** Our choice: over plain HTTP a failed TLS handshake can only be shown by its number. */
const NO_CERTIFICATE: NoSite = { status: 525, code: 525 };
const NO_ORIGIN: NoSite = { status: 522, code: 522 };

/**
 * Who answers for a host. The world is the named one; without a name `main`, if it knows the host, else
 * the only world that does.
 */
export function siteFor(worlds: Worlds, host: string, worldName: string | null): Site | NoSite {
  const world = worldFor(worlds, host, worldName);
  if (world === undefined) return NO_NAME;
  const state = cloudflareState(world);
  const domain = attached(state, host);
  if (domain === undefined) return NO_NAME;
  const now = world.now();
  const zone = state.zones[domain.zoneId];
  if (zone === undefined || zoneStatus(zone, now) !== 'active') return NO_NAME;
  const spread = choice(state, 'edge.spread-ms');
  if (now < domain.createdAt + spread) return NO_NAME;
  if (now < domain.certActiveAt) return NO_CERTIFICATE;
  const script = scriptIn(state, domain.accountId, domain.service);
  const version = script === undefined ? undefined : versionAt(script, now - spread);
  if (version === undefined) return NO_ORIGIN;
  return { world, version, key: `${world.name}/${version.id}` };
}

const attached = (state: CloudflareState, host: string) =>
  Object.values(state.customDomains).find(({ hostname }) => hostname === host);

function worldFor(worlds: Worlds, host: string, name: string | null): World | undefined {
  if (name !== null) return worlds.all().find((world) => world.name === name);
  const serving = worlds.all().filter((world) => attached(cloudflareState(world), host));
  const main = serving.find((world) => world.name === 'main');
  return main ?? (serving.length === 1 ? serving[0] : undefined);
}

/** The version that the newest deployment known at `at` picks: by chance where it splits the traffic. */
function versionAt(script: ScriptRecord, at: number): VersionRecord | undefined {
  const live = script.deployments.find(({ createdAt }) => createdAt <= at);
  if (live === undefined) return undefined;
  let left = Math.random() * 100;
  const picked =
    live.versions.find(({ percentage }) => {
      left -= percentage;
      return left < 0;
    }) ?? live.versions[0];
  return script.versions.find(({ id }) => id === picked?.version_id);
}

/** The version of a site's key, while its script is there. */
export function versionOfKey(
  worlds: Worlds,
  key: string,
): { world: World; version: VersionRecord } | undefined {
  const [name, id] = key.split('/');
  const world = worlds.all().find((known) => known.name === name);
  if (world === undefined) return undefined;
  for (const script of Object.values(cloudflareState(world).scripts)) {
    const version = script.versions.find((known) => known.id === id);
    if (version !== undefined) return { world, version };
  }
  return undefined;
}

/** Code and bindings of a version; undefined for a site of files alone. */
export function loadable(world: World, version: VersionRecord): Loadable | undefined {
  const program = programOf(cloudflareState(world), version);
  if (program === null) return undefined;
  const env: Record<string, unknown> = {};
  let assetsBinding: string | null = null;
  for (const binding of version.bindings) {
    switch (binding.type) {
      case 'plain_text':
      case 'secret_text':
        env[binding.name] = binding.text ?? '';
        break;
      case 'json':
        env[binding.name] = binding.json;
        break;
      case 'version_metadata':
        env[binding.name] = { id: version.id, tag: version.tag ?? '' };
        break;
      case 'assets':
        assetsBinding = binding.name;
    }
  }
  return { program, env, assetsBinding };
}

/** The files of a version, with their bytes. */
export function filesOf(
  world: World,
  { assets }: VersionRecord,
): { assets: AssetsRecord; bytesOf: (asset: AssetRecord) => Buffer } | undefined {
  if (assets === null) return undefined;
  const { blobs } = cloudflareState(world);
  return { assets, bytesOf: ({ blob }) => Buffer.from(blobs[blob] ?? '', 'base64') };
}
