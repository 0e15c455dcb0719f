import type { RelyingParty, Trust } from '../domain/trust.js';
import { readEndpoints } from './endpoints.js';
import { UnreachableError } from './errors.js';
import type { Config } from './load.js';

/** Whose signatures count: the pages at which passkeys sign, and the pinned root keys. @throws UsageError */
export function trustOf(config: Config): Trust {
  const relyingParty = config.passkeys ?? embeddedPages(config);
  return {
    rootKeys: config.mode === 'production' ? config.rootKeys : [],
    ...(relyingParty === undefined ? {} : { relyingParty }),
  };
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
