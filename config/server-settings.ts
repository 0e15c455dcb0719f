import { readEndpoints, readSandboxEndpoints } from './endpoints.js';
import { UnreachableError, UsageError } from './errors.js';
import type { Config } from './load.js';
import { readPrivateFile } from './private-files.js';
import { ensureSecret } from './secrets.js';

/** Under which the command line signs people in, unless the configuration names another client. */
const CLI_CLIENT = 'countersign-cli';

export interface ServerSettings {
  /** Absent: http://localhost and the port that was taken. */
  readonly publicUrl: string | undefined;
  /** Absent: the public URL. */
  readonly audience: string | undefined;
  readonly issuers: readonly string[];
  /** The one issuer that may answer on this machine: the sandbox's. */
  readonly loopback: string | undefined;
  readonly cliClientId: string;
  readonly host: string;
  readonly port: number;
  readonly metricsPort: number;
  readonly webhook: {
    readonly secrets: readonly string[];
    readonly livemode: boolean;
    readonly account: string | undefined;
  };
}

/** How the HTTP server is to run; `given` are the command line's own words. @throws UsageError, UnreachableError */
export function serverSettings(
  config: Config,
  given: { readonly port?: number; readonly metricsPort?: number } = {},
): ServerSettings {
  const { serving } = config;
  if (config.mode === 'production' && serving.publicUrl === undefined)
    throw missing('publicUrl', 'the https URL under which callers reach it');
  const sandbox = serving.issuers === undefined ? sandboxIssuer(config) : undefined;
  return {
    publicUrl: serving.publicUrl,
    audience: serving.audience,
    issuers: serving.issuers ?? (sandbox === undefined ? [] : [sandbox]),
    loopback: sandbox,
    cliClientId: serving.cliClientId ?? CLI_CLIENT,
    host: serving.host ?? '127.0.0.1',
    port: given.port ?? serving.port ?? 0,
    metricsPort: given.metricsPort ?? serving.metricsPort ?? 0,
    webhook: {
      secrets: webhookSecrets(config),
      livemode: config.providers === 'live',
      account: serving.webhook?.account,
    },
  };
}

/** @throws UsageError in production: only a configured issuer is believed there */
function sandboxIssuer({ dataDir, mode }: Config): string {
  if (mode === 'production') throw missing('issuers', 'the OpenID issuers whose tokens count');
  const { sandbox = readSandboxEndpoints(dataDir) } = readEndpoints(dataDir);
  return sandbox.issuerUrl;
}

function webhookSecrets({ dataDir, mode, serving }: Config): string[] {
  // Without a secret no event is believed; the sandbox signs with the data folder's.
  const files =
    serving.webhook?.secretFiles ??
    (mode === 'embedded' ? [ensureSecret(dataDir, 'webhookSecret')] : []);
  return files.map((file) => {
    const value = readPrivateFile(file)?.trim();
    if (value !== undefined && value.length >= 16) return value;
    throw new UsageError({
      what: value === undefined ? 'this secret is missing' : 'this secret is too short',
      where: file,
      remedy: 'Put the signing secret (whsec_…) of the endpoint there, readable only for its owner',
    });
  });
}

const missing = (key: string, what: string): UsageError =>
  new UsageError({
    what: `the server needs "server.${key}": ${what}`,
    remedy: 'Add it to countersign.config.yaml (docs/reference/configuration.md)',
  });

/** Where the server answers: as named, else that of the data folder's stack. @throws UnreachableError */
export function serverAddressOf({ dataDir, server }: Config): string {
  const url = server ?? readEndpoints(dataDir).serverUrl;
  if (url !== undefined) return url.replace(/\/$/, '');
  throw new UnreachableError({
    what: 'no server runs on this data folder',
    where: dataDir,
    remedy: 'Start one with `countersign up`, or name it with --server or COUNTERSIGN_SERVER',
  });
}
