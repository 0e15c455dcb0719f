import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { UsageError } from './errors.js';
import { createPrivateFile, readPrivateFile } from './private-files.js';

/** Every secret of a data folder. Each is random, in a 0600 file of its own, and none depends on another. */
export interface Secrets {
  /** 32 bytes, for AES-256-GCM over provider tokens. */
  readonly tokenEncryptionKey: Buffer;
  /** Ed25519 private key, PKCS#8 PEM: signs the checkpoints of the log. */
  readonly checkpointKey: string;
  /** Ed25519 private key, PKCS#8 PEM: the command line's own service key. */
  readonly serviceKey: string;
  /** Mints the sandbox's credentials. */
  readonly sandboxSecret: string;
  /** Bearer token of the sandbox's control port. */
  readonly controlToken: string;
  /** Of the owner of the control database: for migrations. */
  readonly databasePassword: string;
  /** `whsec_…`: with it the sandbox's Stripe signs what it calls out to us. */
  readonly webhookSecret: string;
  /** Of the login that every process of ours uses. */
  readonly applicationPassword: string;
}

const FOLDER = 'secrets';
export const SECRET_FILES = {
  tokenEncryptionKey: 'token-encryption.key',
  checkpointKey: 'checkpoint-key.pem',
  serviceKey: 'service-key.pem',
  sandboxSecret: 'sandbox.secret',
  controlToken: 'sandbox-control.token',
  databasePassword: 'database.password',
  webhookSecret: 'stripe-webhook.secret',
  applicationPassword: 'application.password',
} as const satisfies Record<keyof Secrets, string>;

const MAKERS: Readonly<Record<keyof Secrets, () => string>> = {
  tokenEncryptionKey: random32,
  checkpointKey: ed25519Pem,
  serviceKey: ed25519Pem,
  sandboxSecret: random32,
  controlToken: random32,
  databasePassword: random32,
  webhookSecret: () => `whsec_${random32()}`,
  applicationPassword: random32,
};

/** The file of one secret in a data folder. */
export function secretFile(dataDir: string, name: keyof Secrets): string {
  return path.join(dataDir, FOLDER, SECRET_FILES[name]);
}

/** The password of the one person whom the sandbox's issuer knows from its first start. */
export function operatorPasswordFile(dataDir: string): string {
  return path.join(dataDir, FOLDER, 'sandbox-operator.password');
}

/** Creates the secrets that a data folder lacks and reads all; safe when two processes start at once. @throws UsageError */
export function openSecrets(dataDir: string): Secrets {
  mkdirSync(path.join(dataDir, FOLDER), { recursive: true, mode: 0o700 });
  for (const name of secretNames()) {
    if (readPrivateFile(secretFile(dataDir, name)) === undefined) {
      createPrivateFile(secretFile(dataDir, name), `${MAKERS[name]()}\n`);
    }
  }
  return readSecrets(dataDir);
}

/** Creates one secret of a data folder if it lacks it. Answers its file. @throws UsageError */
export function ensureSecret(dataDir: string, name: keyof Secrets): string {
  const file = secretFile(dataDir, name);
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  if (readPrivateFile(file) === undefined) createPrivateFile(file, `${MAKERS[name]()}\n`);
  return file;
}

/** Reads the secrets of a data folder that `up` has made. @throws UsageError when one is missing or damaged */
export function readSecrets(dataDir: string): Secrets {
  const read = (name: keyof Secrets): string => {
    const file = secretFile(dataDir, name);
    const value = readPrivateFile(file)?.trim();
    if (value !== undefined && value.length >= 32) return value;
    throw new UsageError({
      what: value === undefined ? 'this secret is missing' : 'this secret is damaged',
      where: file,
      remedy: 'Restore the data folder, or start an empty one with `countersign up --fresh`',
    });
  };
  return {
    tokenEncryptionKey: thirtyTwoBytes(
      read('tokenEncryptionKey'),
      secretFile(dataDir, 'tokenEncryptionKey'),
    ),
    checkpointKey: read('checkpointKey'),
    serviceKey: read('serviceKey'),
    sandboxSecret: read('sandboxSecret'),
    controlToken: read('controlToken'),
    databasePassword: read('databasePassword'),
    webhookSecret: read('webhookSecret'),
    applicationPassword: read('applicationPassword'),
  };
}

function secretNames(): (keyof Secrets)[] {
  return Object.keys(SECRET_FILES) as (keyof Secrets)[];
}

function thirtyTwoBytes(value: string, where: string): Buffer {
  // The first key seals; a person who rotates it puts a newer line before the former one.
  const [first = ''] = value.split('\n');
  const key = Buffer.from(first.slice(first.indexOf(':') + 1), 'base64url');
  if (key.length === 32) return key;
  throw new UsageError({
    what: `the key has ${key.length} bytes instead of 32`,
    where,
    remedy: 'Restore the data folder, or start an empty one with `countersign up --fresh`',
  });
}

function random32(): string {
  return randomBytes(32).toString('base64url');
}

function ed25519Pem(): string {
  return generateKeyPairSync('ed25519')
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString()
    .trim();
}
