import { homedir } from 'node:os';
import path from 'node:path';

export type Variables = Readonly<Record<string, string | undefined>>;

/** A copy of the environment of this process. This folder is the only one that looks at it. */
export function processVariables(): Variables {
  return { ...process.env };
}

/**
 * The SDKs and the HTTP client read these by themselves: a key or a proxy left in a shell would decide
 * where requests go and who pays, in spite of every option that is passed.
 */
const TREACHEROUS =
  /^(STRIPE_|CLOUDFLARE_|CF_API_|(HTTP|HTTPS|ALL|NO)_PROXY$|NODE_USE_ENV_PROXY$|NODE_TLS_REJECT_UNAUTHORIZED$)/i;

/** Deletes provider and proxy variables from the environment, before SDK clients are made; returns their names. */
export function clearProviderVariables(variables: NodeJS.ProcessEnv = process.env): string[] {
  const names = Object.keys(variables).filter((name) => TREACHEROUS.test(name));
  for (const name of names) Reflect.deleteProperty(variables, name);
  return names;
}

const INHERITED = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'XDG_CACHE_HOME', 'XDG_STATE_HOME'] as const;

/** All that a child process gets from our environment; whatever else it needs is handed to it by name. */
export function childEnvironment(variables: Variables): Record<string, string> {
  const inherited: Record<string, string> = {};
  for (const name of INHERITED) {
    const value = variables[name];
    if (value !== undefined && value !== '') inherited[name] = value;
  }
  return inherited;
}

/** Where downloaded and built programs are kept between projects: `~/.cache/countersign`. */
export function cacheFolder(variables: Variables): string {
  return path.join(baseFolder(variables, 'XDG_CACHE_HOME', '.cache'), 'countersign');
}

/** Where the data folders of projects lie by default: `~/.local/state/countersign`. */
export function stateFolder(variables: Variables): string {
  return path.join(baseFolder(variables, 'XDG_STATE_HOME', '.local/state'), 'countersign');
}

function baseFolder(variables: Variables, name: string, underHome: string): string {
  const value = variables[name];
  // The XDG specification says to ignore relative values.
  if (value !== undefined && path.isAbsolute(value)) return value;
  const home = variables['HOME'];
  return path.join(home === undefined || home === '' ? homedir() : home, underHome);
}

/** The nonce of this start, given by the supervisor; absent when a person started the process. */
export function startNonce(variables: Variables): string | undefined {
  return variables['COUNTERSIGN_NONCE'];
}

/**
 * Layers that a stop leaves out, so that a test sees what it then says: `COUNTERSIGN_TEST_DISABLE_LAYER=identity`. Only
 * an embedded instance listens to it.
 */
export function disabledLayers(variables: Variables): readonly string[] {
  const value = variables['COUNTERSIGN_TEST_DISABLE_LAYER'] ?? '';
  return value.split(',').filter((name) => name !== '');
}
