import path from 'node:path';
import { z } from 'zod';
import {
  CONFIG_FILE,
  readConfigFile,
  type ConfigFile,
  type EncryptionSource,
  type LiveCredentialFiles,
  type NoticesConfig,
} from './config-file.js';
import type { RelyingParty } from '../domain/trust.js';
import { cacheFolder, childEnvironment, stateFolder, type Variables } from './environment.js';
import { UsageError } from './errors.js';
import { projectFolder, projectName } from './project.js';
import type { ServerConfig } from './server-config.js';

export interface LoadOptions {
  readonly env: Variables;
  readonly cwd: string;
  /** What the command line said; it wins over the environment. */
  readonly args: { readonly data?: string; readonly server?: string; readonly config?: string };
}

export interface TemporalConfig {
  /** Absent: the embedded server, at the address of the endpoints file. */
  readonly address: string | undefined;
  readonly namespace: string;
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  readonly apiKey: string | undefined;
}

export interface Config {
  readonly mode: 'embedded' | 'production';
  readonly providers: 'sandbox' | 'live';
  /** Only when `providers` is `live`: the files that hold the credentials. */
  readonly live: LiveCredentialFiles | undefined;
  /** Where the keys for minted tokens come from; absent: the data folder's own, embedded only. */
  readonly encryption: EncryptionSource | { readonly environment: string } | undefined;
  /** Absolute; holds everything the embedded stack keeps. */
  readonly dataDir: string;
  readonly project: string;
  readonly projectDir: string;
  readonly cacheDir: string;
  readonly server: string | undefined;
  readonly databaseUrl: string | undefined;
  /** The same database as its owner, for `migrate`; absent: `databaseUrl` is the owner's. */
  readonly ownerDatabaseUrl: string | undefined;
  readonly temporal: TemporalConfig;
  readonly policyFile: string | undefined;
  /** How the HTTP server is configured; files as absolute paths. */
  readonly serving: ServerConfig;
  /** Where passkeys sign; absent in the embedded mode: the server's page. */
  readonly passkeys: RelyingParty | undefined;
  /** Fingerprints of the root keys. */
  readonly rootKeys: readonly string[];
  /** How notices leave; files of secrets as absolute paths. */
  readonly notices: NoticesConfig;
  /** The environment that child processes start with. */
  readonly childEnv: Readonly<Record<string, string>>;
}

const text = z.string().trim().min(1);
const postgresUrl = z.url({
  protocol: /^postgres(ql)?$/,
  error: 'expected postgresql://USER:PASSWORD@HOST:PORT/NAME',
});
const variablesSchema = z.object({
  COUNTERSIGN_SERVER: z
    .url({ protocol: /^https?$/, error: 'expected http:// or https:// and a host' })
    .optional(),
  COUNTERSIGN_DATABASE_URL: postgresUrl.optional(),
  COUNTERSIGN_OWNER_DATABASE_URL: postgresUrl.optional(),
  COUNTERSIGN_TEMPORAL_ADDRESS: z
    .string()
    .regex(/^[^\s:/]+:\d{1,5}$/, 'expected HOST:PORT')
    .optional(),
  COUNTERSIGN_TEMPORAL_NAMESPACE: text.optional(),
  COUNTERSIGN_TEMPORAL_TLS_CERT: text.optional(),
  COUNTERSIGN_TEMPORAL_TLS_KEY: text.optional(),
  COUNTERSIGN_TEMPORAL_API_KEY: text.optional(),
  COUNTERSIGN_DATA: text.optional(),
  COUNTERSIGN_POLICY: text.optional(),
  COUNTERSIGN_ROOT_KEYS: text.optional(),
  COUNTERSIGN_TOKEN_KEYS: text.optional(),
  COUNTERSIGN_LIVE: z.literal('1', 'the only value it takes is 1').optional(),
});
type OurVariables = z.infer<typeof variablesSchema>;

/** Reads options, environment and configuration file into one checked value. @throws UsageError */
export function loadConfig({ env, cwd, args }: LoadOptions): Config {
  const ours = readVariables(env);
  const projectDir = projectFolder(cwd);
  const given = args.config;
  const file = path.resolve(given === undefined ? projectDir : cwd, given ?? CONFIG_FILE);
  const fromFile = readConfigFile(file, given !== undefined);
  const project = projectName(projectDir);
  const data = args.data ?? ours.COUNTERSIGN_DATA;
  return {
    mode: fromFile.mode,
    providers: fromFile.providers,
    live: liveFiles(fromFile, file, ours),
    encryption: encryptionOf(fromFile, file, ours),
    dataDir: data === undefined ? path.join(stateFolder(env), project) : path.resolve(cwd, data),
    project,
    projectDir,
    cacheDir: cacheFolder(env),
    server: serverAddress(args.server) ?? ours.COUNTERSIGN_SERVER,
    databaseUrl: ours.COUNTERSIGN_DATABASE_URL,
    ownerDatabaseUrl: ours.COUNTERSIGN_OWNER_DATABASE_URL,
    temporal: temporalConfig(ours, cwd),
    serving: servingOf(fromFile, file),
    passkeys: fromFile.passkeys,
    policyFile: absolute(ours.COUNTERSIGN_POLICY, cwd),
    rootKeys: (ours.COUNTERSIGN_ROOT_KEYS ?? '')
      .split(',')
      .map((key) => key.trim())
      .filter((key) => key !== ''),
    notices: noticesConfig(fromFile, file),
    childEnv: childEnvironment(env),
  };
}

/** Loopback is a place for notices only on one person's machine, and only by name. */
function noticesConfig({ mode, notices = {} }: ConfigFile, file: string): NoticesConfig {
  const { embeddedReceiver, secrets = {} } = notices;
  if (mode === 'production' && embeddedReceiver !== undefined) {
    throw new UsageError({
      what: '`notices.embeddedReceiver` is for the embedded mode alone',
      where: file,
      remedy: 'Take it out: in production notices go to the https addresses of the policy',
    });
  }
  const at = (name: string): string => path.resolve(path.dirname(file), name);
  return {
    ...notices,
    secrets: Object.fromEntries(Object.entries(secrets).map(([name, one]) => [name, at(one)])),
  };
}

/** On one's own machine `up` says where the server listens, under the one name that passkeys can have there. */
function servingOf({ mode, server = {} }: ConfigFile, file: string): ServerConfig {
  const { host, metricsPort, port, publicUrl, webhook } = server;
  const placed = Object.entries({ publicUrl, host, port, metricsPort, webhook }).find(
    ([, value]) => value !== undefined,
  );
  if (mode === 'embedded' && placed !== undefined)
    throw new UsageError({
      what: `"server.${placed[0]}" is for production: the embedded server answers at http://localhost:PORT`,
      where: file,
      remedy: 'Take it out; `countersign up` prints where the server answers',
    });
  if (webhook === undefined) return server;
  const at = (name: string): string => path.resolve(path.dirname(file), name);
  return { ...server, webhook: { ...webhook, secretFiles: webhook.secretFiles.map(at) } };
}

function readVariables(env: Variables): OurVariables {
  // An empty variable is how shells and compose files say "not set".
  const present = Object.fromEntries(
    Object.entries(env).filter(([name, value]) => name.startsWith('COUNTERSIGN_') && value !== ''),
  );
  const result = variablesSchema.safeParse(present);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new UsageError({
    what: `the environment variable ${String(issue?.path[0])} is not valid (${issue?.message ?? 'unknown'})`,
    remedy: 'Correct it or unset it; see docs/reference/configuration.md',
  });
}

function serverAddress(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (variablesSchema.shape.COUNTERSIGN_SERVER.safeParse(value).success) return value;
  throw new UsageError({
    what: `--server "${value}" is not an http or https URL`,
    remedy: 'Write it as http://127.0.0.1:PORT or https://HOST',
  });
}

function temporalConfig(ours: OurVariables, cwd: string): TemporalConfig {
  const certFile = absolute(ours.COUNTERSIGN_TEMPORAL_TLS_CERT, cwd);
  const keyFile = absolute(ours.COUNTERSIGN_TEMPORAL_TLS_KEY, cwd);
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new UsageError({
      what: `COUNTERSIGN_TEMPORAL_TLS_${certFile === undefined ? 'KEY' : 'CERT'} is set without its other half`,
      remedy: 'Set both COUNTERSIGN_TEMPORAL_TLS_CERT and COUNTERSIGN_TEMPORAL_TLS_KEY, or neither',
    });
  }
  return {
    address: ours.COUNTERSIGN_TEMPORAL_ADDRESS,
    namespace: ours.COUNTERSIGN_TEMPORAL_NAMESPACE ?? 'default',
    tls: certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile },
    apiKey: ours.COUNTERSIGN_TEMPORAL_API_KEY,
  };
}

function absolute(file: string | undefined, cwd: string): string | undefined {
  return file === undefined ? undefined : path.resolve(cwd, file);
}

/** Real money only by name: the word in the file, the word in the environment, and credentials by file. */
function liveFiles(
  { providers, credentials, mode }: ConfigFile,
  file: string,
  ours: OurVariables,
): LiveCredentialFiles | undefined {
  if (providers === 'sandbox') return undefined;
  if (ours.COUNTERSIGN_LIVE === undefined) {
    throw new UsageError({
      what: '`providers: live` spends real money and needs COUNTERSIGN_LIVE=1 as well',
      where: file,
      remedy: 'Set COUNTERSIGN_LIVE=1 if that is meant, else write `providers: sandbox`',
    });
  }
  // One machine has no second hand: live there would take a passkey for every approval, which this version has not.
  if (mode === 'embedded') {
    throw new UsageError({
      what: '`providers: live` needs `mode: production`: the embedded mode, one person on one machine, is for the sandbox',
      where: file,
      remedy:
        'Write `mode: production`, and run worker beside your own Temporal and PostgreSQL (docs/going-live.md)',
    });
  }
  if (credentials === undefined) {
    throw new UsageError({
      what: '`providers: live` needs credentials by file; none is taken from the environment',
      where: file,
      remedy: 'Add `credentials` with the files of each provider, as docs/going-live.md shows',
    });
  }
  const at = (name: string): string => path.resolve(path.dirname(file), name);
  const all = (set: LiveCredentialFiles['stripe']): LiveCredentialFiles['stripe'] => ({
    actions: at(set.actions),
    compensations: at(set.compensations),
    reads: at(set.reads),
  });
  const { accounts } = credentials.cloudflare;
  return {
    stripe: all(credentials.stripe),
    cloudflare: {
      ...all(credentials.cloudflare),
      ...(accounts === undefined ? {} : { accounts: at(accounts) }),
    },
  };
}

/** The file's word wins over the environment's. */
function encryptionOf(
  { encryption }: ConfigFile,
  file: string,
  ours: OurVariables,
): Config['encryption'] {
  const at = (name: string): string => path.resolve(path.dirname(file), name);
  if (encryption !== undefined) {
    if ('file' in encryption) return { file: at(encryption.file) };
    if ('command' in encryption) return encryption;
    const { url, tokenFile } = encryption;
    if (url.startsWith('http:') && !LOOPBACK.test(new URL(url).hostname))
      throw new UsageError({
        what: `"encryption.url" would send keys in the clear`,
        where: file,
        remedy: 'Use https, or http on 127.0.0.1',
      });
    return { url, ...(tokenFile === undefined ? {} : { tokenFile: at(tokenFile) }) };
  }
  if (ours.COUNTERSIGN_TOKEN_KEYS !== undefined)
    return { environment: ours.COUNTERSIGN_TOKEN_KEYS };
  return undefined;
}

const LOOPBACK = /^(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|localhost|\[::1\])$/;
