import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import type { Config } from '../config/load.js';
import { readPrivateFile } from '../config/private-files.js';
import { SECRET_FILES, secretFile } from '../config/secrets.js';
import type { Secrets } from '../config/secrets.js';
import { credentialStates } from '../store/credential-states.js';
import type { Database } from '../store/connect.js';
import { tokenCensus } from '../store/provider-tokens.js';
import { isOwner } from '../store/roles.js';
import { explain } from './explain.js';
import { duration } from './style.js';

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly says: string;
}

/** A credential older than this is due to be rotated. In ms. */
const DUE_MS = 90 * 24 * 3_600_000;
/** Due tokens go within seconds; what stands longer does not go by itself. In ms. */
const LEFTOVER_MS = 60_000;

interface SecretFile {
  readonly name: string;
  readonly file: string;
}

/** Ages and permissions of every key and credential by file, and whether classes differ. */
export function credentialFileChecks(config: Config, nowMs = Date.now()): readonly Check[] {
  const files = [...liveFiles(config), ...encryptionFile(config), ...folderFiles(config)];
  const checks = files.map((file) => fileCheck(file, nowMs));
  const shared = sharedValues(files);
  if (config.encryption !== undefined && 'environment' in config.encryption)
    checks.push({
      name: 'token encryption',
      ok: true,
      says: 'from COUNTERSIGN_TOKEN_KEYS: rotated by a restart',
    });
  return [
    ...checks,
    {
      name: 'credentials',
      ok: shared.length === 0,
      says:
        shared.length === 0
          ? 'each has a value of its own'
          : `${shared.join('; ')}: give each class a credential of its own`,
    },
  ];
}

function liveFiles({ live }: Config): SecretFile[] {
  if (live === undefined) return [];
  return Object.entries(live).flatMap(([provider, roles]) =>
    Object.entries(roles as Readonly<Record<string, string>>).map(([role, file]) => ({
      name: `${provider} ${role}`,
      file,
    })),
  );
}

const encryptionFile = ({ encryption }: Config): SecretFile[] =>
  encryption !== undefined && 'file' in encryption
    ? [{ name: 'token encryption', file: encryption.file }]
    : [];

/** The secrets of a data folder, where there is one. */
function folderFiles({ dataDir }: Config): SecretFile[] {
  return (Object.keys(SECRET_FILES) as (keyof Secrets)[])
    .map((name) => ({ name: SECRET_FILES[name], file: secretFile(dataDir, name) }))
    .filter(({ file }) => statSync(file, { throwIfNoEntry: false }) !== undefined);
}

function fileCheck({ name, file }: SecretFile, nowMs: number): Check {
  try {
    const value = readPrivateFile(file)?.trim();
    if (value === undefined || value === '')
      return { name, ok: false, says: `${file} is missing or empty` };
    const ageMs = Math.max(0, nowMs - statSync(file).mtimeMs);
    const age = `written ${duration(ageMs)} ago`;
    return ageMs > DUE_MS
      ? { name, ok: false, says: `${age}: due, rotate it (docs/operating.md)` }
      : { name, ok: true, says: age };
  } catch (error) {
    return { name, ok: false, says: explain(error).message };
  }
}

/** Names of files that hold the same value. */
function sharedValues(files: readonly SecretFile[]): string[] {
  const byValue = new Map<string, string[]>();
  for (const { name, file } of files) {
    let value: string | undefined;
    try {
      value = readPrivateFile(file)?.trim();
    } catch {
      continue;
    }
    if (value === undefined || value === '') continue;
    const digest = createHash('sha256').update(value).digest('hex');
    byValue.set(digest, [...(byValue.get(digest) ?? []), name]);
  }
  return [...byValue.values()]
    .filter((names) => names.length > 1)
    .map((names) => `${names.join(' and ')} are the same`);
}

/** What processes say of what they hold, and how the minted tokens stand. */
export async function tokenChecks(db: Database): Promise<readonly Check[]> {
  const told = (await credentialStates(db)).map(({ process, name, since, problem }) => ({
    name: 'in use',
    ok: problem === null,
    says: `${name} of ${process}: ${problem ?? `held since ${since.toISOString()}`}`,
  }));
  const { count, late } = await tokenCensus(db, LEFTOVER_MS);
  return [
    ...told,
    {
      name: 'minted tokens',
      ok: late.length === 0,
      says:
        late.length === 0
          ? `${count('live')} live, ${count('minting')} being minted, ${count('due')} to be revoked`
          : `left over: ${late.join(', ')}: see that a worker runs and that its parent may delete tokens`,
    },
  ];
}

/** What production asks for, as far as it can be seen from here; a failed one says what mends it. */
export async function productionChecks(
  config: Config,
  db: Database | undefined,
): Promise<readonly Check[]> {
  const check = (name: string, ok: boolean, says: string, mend: string): Check => ({
    name,
    ok,
    says: ok ? says : mend,
  });
  const { temporal, databaseUrl, encryption, rootKeys } = config;
  const url = databaseUrl === undefined ? undefined : new URL(databaseUrl);
  return [
    check('mode', config.mode === 'production', 'production', 'write mode: production'),
    check(
      'providers',
      config.providers === 'live',
      'live',
      'the sandbox is no provider: write providers: live',
    ),
    check(
      'Temporal over TLS',
      temporal.address !== undefined &&
        (temporal.tls !== undefined || temporal.apiKey !== undefined),
      'with a client certificate or an API key',
      'set COUNTERSIGN_TEMPORAL_ADDRESS and COUNTERSIGN_TEMPORAL_TLS_CERT/_KEY or _API_KEY',
    ),
    check(
      'Temporal namespace',
      temporal.namespace !== 'default',
      temporal.namespace,
      'set COUNTERSIGN_TEMPORAL_NAMESPACE to one of its own',
    ),
    check(
      'database over TLS',
      url?.searchParams.get('sslmode') === 'verify-full',
      'sslmode=verify-full',
      'add ?sslmode=verify-full to COUNTERSIGN_DATABASE_URL',
    ),
    check(
      'root keys',
      rootKeys.length >= 2,
      `${rootKeys.length}`,
      'name two or more in COUNTERSIGN_ROOT_KEYS',
    ),
    check(
      'token encryption key',
      encryption !== undefined,
      'not the data folder’s',
      'set encryption in countersign.config.yaml, or COUNTERSIGN_TOKEN_KEYS',
    ),
    ...(db === undefined ? [] : [await ownerCheck(db)]),
  ];
}

/** Whoever owns the tables can take the log's guards away. */
async function ownerCheck(db: Database): Promise<Check> {
  const owns = await isOwner(db);
  return {
    name: 'database role',
    ok: !owns,
    says: owns ? 'this role owns the log: connect as one that does not' : 'does not own the log',
  };
}
