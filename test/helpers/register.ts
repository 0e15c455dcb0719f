import { encodeBase64url } from '../../domain/base64url.js';
import { publicKeyOf } from '../../domain/signature.js';
import { databaseNow } from '../../store/clock.js';
import type { Executor } from '../../store/connect.js';
import type { Authenticator } from './authenticator.js';

/** Rows of the register as its owner would plant them: by no ceremony. */

interface Planted {
  readonly person: string;
  readonly keyId: string;
  readonly publicKey: string;
  /** Other columns than those of a key that counts from now on. */
  readonly more?: object;
}

export async function plantKey(db: Executor, of: Planted): Promise<void> {
  const now = await databaseNow(db);
  await db
    .insertInto('keys')
    .values({
      key_id: of.keyId,
      person_id: of.person,
      public_key: of.publicKey,
      enrolled_at: now,
      active_from: now,
      revoked_at: null,
      revoked_as: null,
      compromised_since: null,
      ...of.more,
    })
    .execute();
}

/** The key that a seed makes. */
export const plantSeed = (
  db: Executor,
  of: { readonly person: string; readonly keyId: string; readonly seed: Uint8Array },
): Promise<void> => plantKey(db, { ...of, publicKey: encodeBase64url(publicKeyOf(of.seed)) });

/** A passkey of `localhost` whose last counter was 6, unless said otherwise. */
export const plantPasskey = (
  db: Executor,
  passkey: Authenticator,
  {
    person,
    ...more
  }: {
    readonly person: string;
    readonly counter?: number;
    readonly backup_eligible?: boolean;
  },
): Promise<void> =>
  plantKey(db, {
    person,
    keyId: passkey.keyId,
    publicKey: passkey.publicKey,
    more: {
      algorithm: 'ES256',
      credential_id: passkey.credentialId,
      rp_id: 'localhost',
      handle: passkey.handle,
      counter: 6,
      backup_eligible: false,
      ...more,
    },
  });

export async function plantPerson(
  db: Executor,
  person: string,
  groups: readonly string[] = ['approvers'],
): Promise<void> {
  await db
    .insertInto('persons')
    .values({
      person_id: person,
      name: person,
      groups: [...groups],
      created_at: await databaseNow(db),
    })
    .execute();
}
