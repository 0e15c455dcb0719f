import { instantToMs } from '../domain/instant.js';
import type { Policy } from '../domain/policy/schema.js';
import type { Register } from '../domain/register.js';
import type { Executor } from '../store/connect.js';
import { believingRegister, type Pins } from './believed.js';
import { judgeOrder, type Signed } from './signed.js';

/** When and under what a signed order was taken. */
export interface Taken {
  readonly at: Date;
  /** What it is about began then. */
  readonly since: Date;
  /** The policy that was in force; undefined: only pinned roots signed. */
  readonly policy: Policy | undefined;
  readonly groups?: readonly string[];
}

/**
 * Did this order count when it was taken? Verified anew from its stored bytes, signature, chain and group. Whoever has
 * left since, and a key that was retired since, leave it standing; a key that somebody else had by then does not. The
 * counter of a passkey was spent with it and is not looked at again.
 */
export async function stoodThen(
  db: Executor,
  pins: Pins,
  message: Signed,
  of: Taken,
): Promise<boolean> {
  const { by, keyId } = message;
  const key = await db
    .selectFrom('keys')
    .select(['revoked_at', 'compromised_since'])
    .where('key_id', '=', keyId)
    .executeTakeFirst();
  if (key === undefined) return false;
  // guard: a word that somebody else may have signed never counts, however long ago it was taken.
  if ((instantToMs(message.at) ?? Infinity) >= (key.compromised_since?.getTime() ?? Infinity))
    return false;
  if (key.revoked_at !== null && key.revoked_at <= of.at) return false;
  const register = await believingRegister(db, pins, { persons: [by], keys: [keyId] });
  return judgeOrder(message, {
    instance: pins.instance,
    relyingParty: pins.trust.relyingParty,
    rootKeys: pins.trust.rootKeys,
    register: asThen(register),
    policy: of.policy,
    ...(of.groups === undefined ? {} : { groups: of.groups }),
    nowMs: of.at.getTime(),
    sinceMs: of.since.getTime(),
    again: true,
  }).good;
}

const asThen = (register: Register): Register => ({
  person: (id) => {
    const person = register.person(id);
    return person === undefined ? undefined : { ...person, active: true };
  },
  key: (keyId) => {
    const key = register.key(keyId);
    return key === undefined ? undefined : { ...key, revoked: false };
  },
});

/** How many keys have been called compromised: until one more is, what was proved stays proved. */
export async function lostKeys(db: Executor): Promise<number> {
  const { lost } = await db
    .selectFrom('keys')
    .select((eb) => eb.fn.countAll<number>().as('lost'))
    .where('compromised_since', 'is not', null)
    .executeTakeFirstOrThrow();
  return lost;
}
