import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { Failure } from '../domain/errors.js';

/** One key that values are sealed under. */
export interface SealingKey {
  /** Names the key in rows and logs; tells nothing of it. */
  readonly keyId: string;
  /** 32 bytes. */
  readonly key: Buffer;
}

/** A value as it is stored. */
export interface Sealed {
  readonly keyId: string;
  readonly nonce: Buffer;
  /** With the 16 bytes of the tag at its end. */
  readonly ciphertext: Buffer;
}

/** What a sealed value is bound to: moved anywhere else, it does not open. */
export interface SealedFor {
  readonly instance: string;
  readonly runId: string;
  readonly row: string;
  readonly purpose: string;
}

/** Keys by id, the first of which seals. Reads them anew at each use, so that they can be rotated while a run lives. */
export interface Keyring {
  /** The key that new values are sealed under. */
  readonly currentId: string;
  seal(value: string, bound: SealedFor): Sealed;
  /** @throws Failure PROVIDER_AUTH when the key is not held, or the value is not this row's */
  open(sealed: Sealed, bound: SealedFor): string;
}

export const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** The id of a key that has no name: the beginning of its digest. */
export const keyIdOf = (key: Buffer): string =>
  `k-${createHash('sha256').update('countersign.key-id.v1\n').update(key).digest('hex').slice(0, 12)}`;

/** Length-prefixed, so that no two bindings spell the same bytes. */
const boundBytes = ({ instance, runId, row, purpose }: SealedFor, keyId: string): Buffer =>
  Buffer.from(
    ['countersign.token.v1', keyId, instance, runId, row, purpose]
      .map((part) => `${Buffer.byteLength(part)}:${part}`)
      .join(','),
  );

/** A keyring over the keys that `keys` answers at each use; the first one seals. */
export function createKeyring(keys: () => readonly SealingKey[]): Keyring {
  const current = (): SealingKey => {
    const [first] = keys();
    if (first === undefined)
      throw new Failure('PROVIDER_AUTH', 'this process holds no key to seal tokens under');
    return first;
  };
  return {
    get currentId() {
      return current().keyId;
    },
    seal: (value, bound) => {
      const { keyId, key } = current();
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(boundBytes(bound, keyId));
      const body = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()]);
      return { keyId, nonce, ciphertext: Buffer.concat([body, cipher.getAuthTag()]) };
    },
    open: ({ keyId, nonce, ciphertext }, bound) => {
      const held = keys().find((candidate) => candidate.keyId === keyId);
      if (held === undefined)
        throw new Failure('PROVIDER_AUTH', `this process does not hold the key ${keyId}`);
      try {
        const decipher = createDecipheriv('aes-256-gcm', held.key, nonce, {
          authTagLength: TAG_BYTES,
        });
        // guard: bound to its row, so that a value moved to another row, run or instance does not open.
        decipher.setAAD(boundBytes(bound, keyId));
        decipher.setAuthTag(ciphertext.subarray(-TAG_BYTES));
        const body = ciphertext.subarray(0, -TAG_BYTES);
        return Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8');
      } catch {
        throw new Failure('PROVIDER_AUTH', `the token of ${bound.row} does not open: not its row`);
      }
    },
  };
}

const NAMED = /^(?:([a-z0-9][a-z0-9._-]{0,62}):)?([A-Za-z0-9_-]{43})=?$/;

/**
 * Keys from a text: one a line or between commas, each 32 bytes in base64url, with `id:` before it or named by its own
 * digest. The first one seals, the others still open.
 * @throws Error naming the line, never its value
 */
export function parseKeys(text: string): readonly SealingKey[] {
  const keys = text
    .split(/[\n,]/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line, at) => {
      const [, name, value = ''] = NAMED.exec(line) ?? [];
      const key = Buffer.from(value, 'base64url');
      if (key.length !== KEY_BYTES)
        throw new Error(`key ${at + 1} is not ${KEY_BYTES} bytes in base64url`);
      return { keyId: name ?? keyIdOf(key), key };
    });
  if (keys.length === 0) throw new Error('there is no key in it');
  const ids = new Set(keys.map(({ keyId }) => keyId));
  if (ids.size < keys.length) throw new Error('two keys have the same id');
  return keys;
}
