import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

export type ProviderName = 'stripe' | 'cloudflare';
/**
 * What a minted credential is for. `actions` and `compensations` may do everything; `reads` reads, `accounts` makes
 * accounts and `mint-…` tokens, at the provider that knows the difference. The role is recorded.
 */
export const ROLES = [
  'actions',
  'compensations',
  'reads',
  'accounts',
  'mint-actions',
  'mint-compensations',
] as const;
export type Role = (typeof ROLES)[number];
export type RoleCredentials = Record<Role, string>;
/** The credentials of one world, for both providers. */
export type WorldCredentials = Record<ProviderName, RoleCredentials>;

/** Who sent a request: the world it belongs to and under which role. Never the secret itself. */
export interface Credential {
  readonly provider: ProviderName;
  readonly world: string;
  readonly role: string;
  /**
   * First 12 hex digits of the token's SHA-256: tells tokens apart in logs without showing
   * them.
   */
  readonly fingerprint: string;
}

export const WORLD_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const ROLE_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const PREFIX: Record<ProviderName, string> = { stripe: 'sk_test', cloudflare: 'cf' };

/** The fingerprint under which a token appears in logs. */
export function fingerprintOf(token: string): string {
  return createHash('sha256').update(token).digest('hex').slice(0, 12);
}

const macOf = (secret: string, provider: ProviderName, world: string, role: string): string =>
  createHmac('sha256', secret).update(`${provider}/${world}/${role}`).digest('hex').slice(0, 32);

/**
 * Makes the credential of one role in one world; `role` may name a token the provider issued
 * itself.
 */
export function issueCredential(
  secret: string,
  { provider, world, role }: Pick<Credential, 'provider' | 'world' | 'role'>,
): string {
  if (!WORLD_NAME.test(world)) throw new RangeError(`no world can be named '${world}'`);
  if (!ROLE_NAME.test(role)) throw new RangeError(`no role can be named '${role}'`);
  return `${PREFIX[provider]}_${world}_${role}_${macOf(secret, provider, world, role)}`;
}

/** All credentials of one world. */
export function mintCredentials(secret: string, world: string): WorldCredentials {
  const of = (provider: ProviderName): RoleCredentials =>
    Object.fromEntries(
      ROLES.map((role) => [role, issueCredential(secret, { provider, world, role })]),
    ) as RoleCredentials;
  return { stripe: of('stripe'), cloudflare: of('cloudflare') };
}

/** Reads a token of `provider`; undefined unless this sandbox made it. */
export function readCredential(
  secret: string,
  provider: ProviderName,
  token: string,
): Credential | undefined {
  const match = /^([a-z_]+?)_([a-z0-9-]+)_([a-z0-9-]+)_([0-9a-f]{32})$/.exec(token);
  const [, prefix, world, role, mac] = match ?? [];
  if (prefix !== PREFIX[provider] || world === undefined || role === undefined) return undefined;
  if (!WORLD_NAME.test(world)) return undefined;
  const right = Buffer.from(macOf(secret, provider, world, role));
  if (!timingSafeEqual(right, Buffer.from(mac ?? ''))) return undefined;
  return { provider, world, role, fingerprint: fingerprintOf(token) };
}

/**
 * A random secret that lives in a file of mode 0600, made on first use. A secret that others can
 * read is refused rather than repaired: somebody may have read it. @throws Error naming the file.
 */
export function secretFile(dataDir: string, name: string): string {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const path = join(dataDir, name);
  if (!existsSync(path)) {
    writeFileSync(`${path}.new`, randomBytes(32).toString('hex'), { mode: 0o600 });
    chmodSync(`${path}.new`, 0o600);
    renameSync(`${path}.new`, path);
  }
  if ((statSync(path).mode & 0o077) !== 0) {
    throw new Error(`${path} can be read by others: remove it, and a new secret is drawn`);
  }
  const secret = readFileSync(path, 'utf8').trim();
  if (!/^[0-9a-f]{64}$/.test(secret)) {
    throw new Error(`${path} holds no secret of this sandbox: remove it and start again`);
  }
  return secret;
}
