import type { RelyingParty, Trust } from '../domain/trust.js';
import { readEndpoints } from './endpoints.js';
import { UnreachableError, UsageError } from './errors.js';
import type { Config } from './load.js';

const FINGERPRINT = /^[A-Za-z0-9_-]{43}$/;
/** With one root, whoever holds it is alone above everybody. */
const ROOTS_MIN = 2;

/**
 * Whose signatures count: the pages at which passkeys sign, and the pinned root keys, two at least in production.
 * @throws UsageError
 */
export function trustOf(config: Config): Trust {
  const relyingParty = config.passkeys ?? embeddedPages(config);
  return {
    rootKeys: config.mode === 'production' ? pinnedRoots(config.rootKeys) : [],
    ...(relyingParty === undefined ? {} : { relyingParty }),
  };
}

function pinnedRoots(rootKeys: readonly string[]): readonly string[] {
  const bent = rootKeys.find((key) => !FINGERPRINT.test(key));
  if (bent !== undefined)
    throw new UsageError({
      what: `COUNTERSIGN_ROOT_KEYS names ${JSON.stringify(bent.slice(0, 60))}, which is no fingerprint of a key`,
      remedy: 'Write the key ids that `countersign keys new` prints, separated by commas',
    });
  const distinct = [...new Set(rootKeys)];
  // guard: in production nothing is believed because a row says so: all of it leads to keys that are named here.
  if (distinct.length < ROOTS_MIN)
    throw new UsageError({
      what: `\`mode: production\` needs two pinned root keys at least, and COUNTERSIGN_ROOT_KEYS names ${distinct.length}`,
      remedy:
        'Have two persons each make one (countersign keys new FILE) and set COUNTERSIGN_ROOT_KEYS to both key ids, separated by a comma',
    });
  return distinct;
}

/** On one's own machine: the server of the data folder, under the one name that browsers take for a site of its own. */
function embeddedPages({ dataDir, mode }: Config): RelyingParty | undefined {
  if (mode !== 'embedded') return undefined;
  try {
    const { serverUrl } = readEndpoints(dataDir);
    if (serverUrl === undefined) return undefined;
    return { rpId: 'localhost', origins: [`http://localhost:${new URL(serverUrl).port}`] };
  } catch (error) {
    if (error instanceof UnreachableError) return undefined;
    throw error;
  }
}

/** What a process says that finds root keys pinned which this installation was never opened with. */
export const foreignRootsError = (foreign: readonly string[]): UsageError =>
  new UsageError({
    what: `this installation was never opened with the root key ${foreign.join(', ')}`,
    where: 'COUNTERSIGN_ROOT_KEYS',
    remedy:
      'Pin the ones that it knows; if they are lost, start one worker with --recover: it holds everything and logs it',
  });
