import { readFileSync } from 'node:fs';
import { readEndpoints, readSandboxEndpoints, type SandboxEndpoints } from '../config/endpoints.js';
import type { LiveCredentialFiles } from '../config/config-file.js';
import { UnreachableError, UsageError } from '../config/errors.js';
import { trustOf } from '../config/trust.js';
import type { Trust } from '../domain/trust.js';
import type { Config } from '../config/load.js';
import { readPrivateFile } from '../config/private-files.js';
import { credentialsOf, keyringOf } from './held.js';
import type { Rotating } from './rotation.js';
import { CLOUDFLARE_ORIGIN } from '../gateway/cloudflare/client.js';
import type { Keyring } from '../gateway/keyring.js';
import { LIVE_SETTLING, type HttpTimeouts, type Settling } from '../gateway/parts.js';
import type { Credentials, ProviderCredentials, Role } from '../gateway/providers.js';
import { STRIPE_ORIGIN } from '../gateway/stripe/client.js';

export const WORKER_ROLES = ['workflows', 'actions', 'compensations', 'all'] as const;
export type WorkerRole = (typeof WORKER_ROLES)[number];

/** Where Temporal answers, and as whom. */
export interface TemporalSettings {
  readonly address: string;
  readonly namespace: string;
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
  readonly apiKey?: string;
}

/** What a worker that performs or reverses effects needs beyond Temporal. */
export interface GatewaySettings {
  readonly databaseUrl: string;
  readonly providers: 'sandbox' | 'live';
  readonly credentials: Credentials;
  readonly settling: Settling;
  readonly httpTimeouts?: HttpTimeouts;
  /** Whose signatures count. */
  readonly trust?: Trust;
  /** Origin of the sandbox's edge; absent when providers are live. */
  readonly edgeOrigin?: string;
  readonly keyring: Keyring;
  /** What may be replaced while the process runs. */
  readonly rotating: readonly Rotating[];
}

/**
 * The stand-ins show what they did at once, and a test that makes them lag says by how much, so their settling
 * times are short. In ms. The registrar is given longer, as in the real table.
 */
export const SANDBOX_SETTLING: Settling = {
  stripe: 300,
  cloudflare: 300,
  byOperation: { 'registrar.registrations.create': 800 },
};

/** The stand-ins answer on loopback: what takes longer than this hangs. In ms. */
const SANDBOX_TIMEOUTS: HttpTimeouts = { stripe: 4_000, cloudflare: 5_000 };

/** The provider credentials that each role may hold; the workflow worker holds none. */
const HELD: Readonly<Record<Exclude<WorkerRole, 'workflows'>, readonly Role[]>> = {
  actions: ['actions', 'reads'],
  // Read-back before and after a reversal; a stop does not revoke these.
  compensations: ['compensations', 'reads'],
  all: ['actions', 'compensations', 'reads'],
};

/** @throws UsageError, UnreachableError */
export function temporalSettings(config: Config): TemporalSettings {
  const { temporal } = config;
  if (temporal.address === undefined) {
    const endpoints = readEndpoints(config.dataDir);
    return { address: endpoints.temporalAddress, namespace: endpoints.namespace };
  }
  return {
    address: temporal.address,
    namespace: temporal.namespace,
    ...(temporal.tls === undefined
      ? {}
      : { tls: { cert: bytes(temporal.tls.certFile), key: bytes(temporal.tls.keyFile) } }),
    ...(temporal.apiKey === undefined ? {} : { apiKey: temporal.apiKey }),
  };
}

/** Reads credentials for one role: minted by the sandbox, or from the files the configuration names. */
export async function gatewaySettings(
  config: Config,
  role: Exclude<WorkerRole, 'workflows'>,
): Promise<GatewaySettings> {
  const databaseUrl = config.databaseUrl ?? readEndpoints(config.dataDir).databaseUrl;
  const sealing = await keyringOf(config);
  const { keyring } = sealing;
  if (config.providers === 'live') {
    const held = credentialsOf(liveFiles(config), HELD[role], LIVE);
    return {
      databaseUrl,
      trust: trustOf(config),
      providers: 'live',
      credentials: held.credentials,
      settling: LIVE_SETTLING,
      keyring,
      rotating: [...sealing.rotating, ...held.rotating],
    };
  }
  const sandbox = sandboxOf(config);
  return {
    databaseUrl,
    trust: trustOf(config),
    providers: 'sandbox',
    credentials: await mintedCredentials(sandbox, HELD[role]),
    settling: SANDBOX_SETTLING,
    httpTimeouts: SANDBOX_TIMEOUTS,
    edgeOrigin: sandbox.edgeUrl,
    keyring,
    rotating: sealing.rotating,
  };
}

/** Beside a Temporal and a database of their own, workers find the sandbox by the file that it wrote itself. */
function sandboxOf({ temporal, databaseUrl, dataDir }: Config): SandboxEndpoints {
  if (temporal.address !== undefined && databaseUrl !== undefined)
    return readSandboxEndpoints(dataDir);
  const { sandbox } = readEndpoints(dataDir);
  if (sandbox !== undefined) return sandbox;
  throw new UsageError({
    what: 'this stack has no sandbox, and the configuration says `providers: sandbox`',
    where: dataDir,
    remedy: 'Start it with `countersign up`, or configure live providers (docs/going-live.md)',
  });
}

interface Minted {
  readonly stripe: Readonly<Record<Role, string>>;
  readonly cloudflare: Readonly<
    Record<'reads' | 'accounts' | 'mint-actions' | 'mint-compensations', string>
  >;
}

/** The sandbox's own names for what each role speaks as at Cloudflare. */
const AT_CLOUDFLARE = {
  actions: 'mint-actions',
  compensations: 'mint-compensations',
  reads: 'reads',
} as const;

/** Asks the sandbox's control port for credentials that it mints itself: it accepts no others. */
async function mintedCredentials(
  sandbox: SandboxEndpoints,
  roles: readonly Role[],
): Promise<Credentials> {
  const token = readPrivateFile(sandbox.controlTokenFile)?.trim();
  const url = `${sandbox.controlUrl}/_sandbox/credentials?world=main`;
  let minted: Minted;
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token ?? ''}` },
      signal: AbortSignal.timeout(10_000),
    });
    if (!answer.ok) throw new Error(`it answered ${answer.status}`);
    minted = (await answer.json()) as Minted;
  } catch (error) {
    throw new UnreachableError({
      what: `the sandbox gave no credentials (${error instanceof Error ? error.message : 'no answer'})`,
      where: sandbox.controlUrl,
      remedy:
        'Start it with `countersign up`, or with `countersign sandbox` on the same data folder',
    });
  }
  const origin = sandbox.apiUrl;
  const of = (role: Role): ProviderCredentials => ({
    stripe: { apiKey: minted.stripe[role], origin },
    cloudflare: { apiToken: minted.cloudflare[AT_CLOUDFLARE[role]], origin },
  });
  return {
    ...Object.fromEntries(roles.map((role) => [role, of(role)])),
    ...(roles.includes('actions')
      ? { accounts: { apiToken: minted.cloudflare.accounts, origin } }
      : {}),
  };
}

const LIVE = { providers: 'live', stripe: STRIPE_ORIGIN, cloudflare: CLOUDFLARE_ORIGIN } as const;

function liveFiles({ live }: Config): LiveCredentialFiles {
  if (live !== undefined) return live;
  throw new UsageError({
    what: '`providers: live` needs the files of its credentials',
    remedy: 'Add `credentials` to countersign.config.yaml (docs/going-live.md)',
  });
}

function bytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch {
    throw new UsageError({
      what: 'this certificate or key file cannot be read',
      where: file,
      remedy: 'Check COUNTERSIGN_TEMPORAL_TLS_CERT and COUNTERSIGN_TEMPORAL_TLS_KEY',
    });
  }
}
