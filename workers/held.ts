import type { LiveCredentialFiles } from '../config/config-file.js';
import { UsageError } from '../config/errors.js';
import type { Config } from '../config/load.js';
import { readPrivateFile } from '../config/private-files.js';
import { ensureSecret, secretFile } from '../config/secrets.js';
import { createKeyring, parseKeys } from '../gateway/keyring.js';
import type { Keyring, SealingKey } from '../gateway/keyring.js';
import { proveCloudflare, proveStripe } from '../gateway/prove.js';
import type { Credentials, ProviderCredentials, Role } from '../gateway/providers.js';
import { rotating } from './rotation.js';
import type { Rotating, SecretSource } from './rotation.js';
import { commandSource, fileSource, urlSource } from './secret-sources.js';

export interface Origins {
  readonly providers: 'sandbox' | 'live';
  readonly stripe: string;
  readonly cloudflare: string;
}

/**
 * Credentials of these roles out of their files. Each is read again when its file changes; the former value is used
 * until the newer one has read something at its provider. @throws UsageError
 */
export function credentialsOf(
  files: LiveCredentialFiles,
  roles: readonly Role[],
  at: Origins,
): { readonly credentials: Credentials; readonly rotating: readonly Rotating[] } {
  const all: Rotating[] = [];
  const held = (name: string, file: string, prove: (value: string) => Promise<void>): Rotating => {
    const secret = rotating({ name, initial: secretOf(file), source: fileSource(file), prove });
    all.push(secret);
    return secret;
  };
  const cloudflare = (role: string, file: string) => {
    const origin = at.cloudflare;
    const secret = held(`cloudflare ${role}`, file, (apiToken) =>
      proveCloudflare(role, { apiToken, origin }, at.providers),
    );
    return {
      origin,
      get apiToken() {
        return secret.value;
      },
    };
  };
  const stripe = (role: string, file: string) => {
    const origin = at.stripe;
    const secret = held(`stripe ${role}`, file, (apiKey) =>
      proveStripe(role, { apiKey, origin }, at.providers),
    );
    return {
      origin,
      get apiKey() {
        return secret.value;
      },
    };
  };
  const of = (role: Role): ProviderCredentials => ({
    stripe: stripe(role, files.stripe[role]),
    cloudflare: cloudflare(role, files.cloudflare[role]),
  });
  const { accounts } = files.cloudflare;
  const credentials: Credentials = {
    ...Object.fromEntries(roles.map((role) => [role, of(role)])),
    ...(accounts !== undefined && roles.includes('actions')
      ? { accounts: cloudflare('accounts', accounts) }
      : {}),
  };
  return { credentials, rotating: all };
}

function secretOf(file: string): string {
  const value = readPrivateFile(file)?.trim();
  if (value !== undefined && value !== '') return value;
  throw new UsageError({
    what: 'this credential file is missing or empty',
    where: file,
    remedy: 'Write the credential into it and run `chmod 600` on it',
  });
}

/** The keys that minted tokens are sealed under, from where the configuration says. @throws UsageError */
export async function keyringOf(
  config: Pick<Config, 'encryption' | 'mode' | 'dataDir'>,
): Promise<{ readonly keyring: Keyring; readonly rotating: readonly Rotating[] }> {
  // Production seals under no key that lies beside the data.
  if (config.mode === 'production' && config.encryption === undefined)
    throw new UsageError({
      what: '`mode: production` needs a key for minted tokens that does not lie beside the data',
      remedy:
        'Set `encryption` (file, command or url) or COUNTERSIGN_TOKEN_KEYS; `openssl rand -base64 32 | tr +/ -_` makes a key',
    });
  const source = keySource(config);
  let text: string;
  try {
    text = await source.read();
    refuseEmbedded(config, parseKeys(text));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError({
      what: `the keys for minted tokens cannot be used: ${error instanceof Error ? error.message : 'unknown'}`,
      remedy: 'See `encryption` in docs/reference/configuration.md',
    });
  }
  const secret = rotating({
    name: 'token encryption',
    initial: text,
    source,
    // Rejects where the text is no list of keys, or names the embedded one.
    prove: async (candidate) => {
      refuseEmbedded(config, parseKeys(candidate));
      await Promise.resolve();
    },
  });
  let parsed: { text: string; keys: readonly SealingKey[] } = { text, keys: parseKeys(text) };
  const keys = (): readonly SealingKey[] => {
    if (parsed.text !== secret.value)
      parsed = { text: secret.value, keys: parseKeys(secret.value) };
    return parsed.keys;
  };
  return { keyring: createKeyring(keys), rotating: [secret] };
}

function keySource({ encryption, dataDir }: Pick<Config, 'encryption' | 'dataDir'>): SecretSource {
  if (encryption === undefined) return fileSource(ensureSecret(dataDir, 'tokenEncryptionKey'));
  if ('environment' in encryption) {
    const { environment } = encryption;
    return { stamp: () => 'environment', read: () => Promise.resolve(environment) };
  }
  if ('file' in encryption) return fileSource(encryption.file);
  return 'command' in encryption ? commandSource(encryption.command) : urlSource(encryption);
}

/** A key that lies beside the data protects nothing from whoever has the data. */
function refuseEmbedded(
  { mode, dataDir }: Pick<Config, 'mode' | 'dataDir'>,
  keys: readonly SealingKey[],
): void {
  if (mode !== 'production') return;
  const embedded = readPrivateFile(secretFile(dataDir, 'tokenEncryptionKey'))?.trim();
  if (embedded === undefined) return;
  const [own] = parseKeys(embedded);
  if (own !== undefined && keys.some(({ key }) => key.equals(own.key)))
    throw new UsageError({
      what: 'the key for minted tokens is the one of the embedded mode, which lies in the data folder',
      where: dataDir,
      remedy: 'Make another one and name it by `encryption` in countersign.config.yaml',
    });
}
