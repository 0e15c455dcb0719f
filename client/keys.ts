import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  generateKeyPairSync,
  randomBytes,
  scrypt,
  sign,
  type KeyObject,
} from 'node:crypto';
import { z } from 'zod';
import { keyIdSchema } from '../domain/documents.js';
import { keyIdOf } from '../domain/signature.js';
import { countCharacters } from '../domain/text.js';
import { FileRefused } from './errors.js';
import { createPrivateFile, readPrivateFile } from './private-file.js';

/** An unlocked Ed25519 key. The private part never leaves this object. */
export interface SigningKey {
  readonly keyId: string;
  /** Raw 32 bytes, base64url. */
  readonly publicKey: string;
  /** Ed25519 (RFC 8032) over the bytes, base64url. */
  sign(bytes: Uint8Array): string;
}

const base64url = z.string().regex(/^[A-Za-z0-9_-]+$/);
const keyFileSchema = z.strictObject({
  type: z.literal('countersign.key.v1'),
  keyId: keyIdSchema,
  publicKey: base64url.length(43),
  /** Bounds keep a made-up file from costing gigabytes of memory. */
  scrypt: z.strictObject({
    N: z.int().min(16_384).max(1_048_576),
    r: z.int().min(8).max(16),
    p: z.int().min(1).max(4),
    salt: base64url.length(22),
  }),
  aes256gcm: z.strictObject({ nonce: base64url.length(16), box: base64url, tag: base64url }),
});
export type KeyFile = z.infer<typeof keyFileSchema>;

const SCRYPT = { N: 131_072, r: 8, p: 1 };
/** Node refuses more than 32 MiB unless told; scrypt takes 128 * N * r bytes. */
const SCRYPT_MEMORY = 2_200_000_000;
const MIN_PASSPHRASE = 8;

const raw = (text: string): Buffer => Buffer.from(text, 'base64url');

/** A usable key over Node's key object. */
export function signingKeyOf(privateKey: KeyObject): SigningKey {
  const publicKey = privateKey.export({ format: 'jwk' }).x ?? '';
  return {
    keyId: keyIdOf(raw(publicKey)),
    publicKey,
    sign: (bytes) => sign(null, bytes, privateKey).toString('base64url'),
  };
}

function derive(passphrase: string, parameters: KeyFile['scrypt']): Promise<Buffer> {
  const { N, r, p, salt } = parameters;
  return new Promise((resolve, reject) => {
    scrypt(
      passphrase.normalize('NFC'),
      raw(salt),
      32,
      { N, r, p, maxmem: SCRYPT_MEMORY },
      (error, key) => {
        if (error === null) resolve(key);
        else reject(error);
      },
    );
  });
}

/** Why a passphrase is too weak to protect a key file, or undefined. */
export function weakPassphrase(passphrase: string): string | undefined {
  return countCharacters(passphrase) < MIN_PASSPHRASE
    ? `a passphrase needs at least ${MIN_PASSPHRASE} characters`
    : undefined;
}

/** Makes an Ed25519 key and writes it encrypted to a new file of mode 0600. @throws FileRefused if the file exists */
export async function newKeyFile(file: string, passphrase: string): Promise<SigningKey> {
  const weak = weakPassphrase(passphrase);
  if (weak !== undefined) throw new FileRefused(file, weak, 'Choose a longer one');
  const { privateKey } = generateKeyPairSync('ed25519');
  const key = signingKeyOf(privateKey);
  const parameters = { ...SCRYPT, salt: randomBytes(16).toString('base64url') };
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', await derive(passphrase, parameters), nonce);
  cipher.setAAD(additionalData(key));
  const secret = raw(privateKey.export({ format: 'jwk' }).d ?? '');
  const box = Buffer.concat([cipher.update(secret), cipher.final()]);
  const content: KeyFile = {
    type: 'countersign.key.v1',
    keyId: key.keyId,
    publicKey: key.publicKey,
    scrypt: parameters,
    aes256gcm: {
      nonce: nonce.toString('base64url'),
      box: box.toString('base64url'),
      tag: cipher.getAuthTag().toString('base64url'),
    },
  };
  createPrivateFile(file, `${JSON.stringify(content, null, 2)}\n`);
  return key;
}

/** Binds the box to its key id: a box moved to another file's header does not open. */
function additionalData(key: { readonly keyId: string; readonly publicKey: string }): Buffer {
  return Buffer.from(`countersign.key.v1 ${key.keyId} ${key.publicKey}`);
}

/** The public part of a key file; needs no passphrase. @throws FileRefused */
export function readKeyFile(file: string): KeyFile {
  const text = readPrivateFile(file, 'a key file');
  const parsed = keyFileSchema.safeParse(parseJson(text));
  if (!parsed.success)
    throw new FileRefused(
      file,
      'it is not a countersign key file',
      'Make one with: countersign keys new FILE',
    );
  const { keyId, publicKey } = parsed.data;
  if (keyIdOf(raw(publicKey)) !== keyId)
    throw new FileRefused(
      file,
      'its key id does not belong to its public key',
      'The file was altered: restore it from a copy or make a new key',
    );
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Opens a key file with its passphrase. @throws FileRefused */
export async function loadKeyFile(file: string, passphrase: string): Promise<SigningKey> {
  const content = readKeyFile(file);
  const { nonce, box, tag } = content.aes256gcm;
  const secret = await derive(passphrase, content.scrypt);
  const opened = open(secret, { nonce: raw(nonce), box: raw(box), tag: raw(tag) }, content);
  if (opened === undefined)
    throw new FileRefused(file, 'the passphrase is wrong', 'Try again with the right one');
  const key = signingKeyOf(
    createPrivateKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: content.publicKey, d: opened.toString('base64url') },
      format: 'jwk',
    }),
  );
  return key;
}

function open(
  secret: Buffer,
  sealed: { readonly nonce: Buffer; readonly box: Buffer; readonly tag: Buffer },
  header: KeyFile,
): Buffer | undefined {
  if (sealed.tag.length !== 16) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', secret, sealed.nonce);
  decipher.setAAD(additionalData(header));
  decipher.setAuthTag(sealed.tag);
  try {
    return Buffer.concat([decipher.update(sealed.box), decipher.final()]);
  } catch {
    return undefined;
  }
}
