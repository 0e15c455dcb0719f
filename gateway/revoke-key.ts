import { canonicalize } from '../domain/canonical.js';
import { revokeMessageSchema, revokeSchema, type RevokeMessage } from '../domain/key-statements.js';
import { instantToMs } from '../domain/instant.js';
import { keyAdministrators } from '../domain/policy/activation.js';
import { databaseNow } from '../store/clock.js';
import { lockFence } from '../store/policies.js';
import { recordRefusal } from '../store/refusals.js';
import { revokeKey, type Revoked } from '../store/revocation.js';
import { believingRegister } from './believed.js';
import type { Parts } from './parts.js';
import { policyOrNone } from './policy.js';
import { judgeOrder, readMessage, reasonOf, type OrderFacts, type OrderVerdict } from './signed.js';
import { spendCounter } from './spend-counter.js';

export type Revocation =
  | { readonly revoked: true; readonly what: Revoked }
  /** `reason` is recorded; nothing changed. */
  | { readonly revoked: false; readonly reason: string };

export interface RevocationFacts extends Omit<OrderFacts, 'sinceMs' | 'entitled'> {
  /** The row of the key that is to end, whatever chain it has: a planted one is ended as well. */
  readonly key:
    | { readonly person: string; readonly revokedAs: 'retired' | 'compromised' | undefined }
    | undefined;
}

/** The shape of a revocation, or the reason why it has none. */
export function readRevocation(message: unknown): RevokeMessage | string {
  try {
    const { value } = readMessage(message);
    if (typeof value !== 'object' || value === null) return 'malformed';
    if ('type' in value && value.type !== 'countersign.revoke.v1') return 'type-mismatch';
    if (!('signature' in value))
      return revokeSchema.safeParse(value).success ? 'unsigned' : 'malformed';
    const parsed = revokeMessageSchema.safeParse(value);
    return parsed.success ? parsed.data : 'malformed';
  } catch (error) {
    return reasonOf(error);
  }
}

/**
 * Does a revocation count? As any signed order, by the key's own person or by one who administers keys, and of a key that
 * is there and has not ended; what was retired may still be called compromised. How old it is does not matter: a key ends
 * once each way.
 */
export function judgeRevocation(message: RevokeMessage, of: RevocationFacts): OrderVerdict {
  const { key } = of;
  const entitled = key?.person === message.by ? message.by : undefined;
  const verdict = judgeOrder(message, { ...of, sinceMs: 0, entitled });
  if (!verdict.good) return verdict;
  if (key === undefined) return { good: false, reason: 'nothing-to-revoke' };
  const ended = key.revokedAs === 'compromised' || key.revokedAs === message.as;
  return ended ? { good: false, reason: 'revoked-already' } : verdict;
}

/**
 * Ends a key by a signed word: its person's own, with any key that still counts, or one administrator's. Judged and done
 * in one transaction under the fence's lock: nothing that leans on the key commits afterwards.
 */
export async function revokeSigned(
  parts: Pick<Parts, 'db' | 'instance' | 'trust'>,
  message: unknown,
): Promise<Revocation> {
  const { db, instance, trust } = parts;
  const read = readRevocation(message);
  const answer: Revocation =
    typeof read === 'string'
      ? { revoked: false, reason: read }
      : await db.transaction().execute(async (tx): Promise<Revocation> => {
          await lockFence(tx);
          const { by, keyId, revokes } = read;
          const key = await tx
            .selectFrom('keys')
            .select(['person_id', 'revoked_as'])
            .where('key_id', '=', revokes)
            .executeTakeFirst();
          const policy = await policyOrNone(tx, parts);
          const verdict = judgeRevocation(read, {
            instance,
            relyingParty: trust.relyingParty,
            rootKeys: trust.rootKeys,
            register: await believingRegister(tx, parts, { persons: [by], keys: [keyId] }),
            policy,
            groups: policy === undefined ? [] : (keyAdministrators(policy) ?? []),
            nowMs: (await databaseNow(tx)).getTime(),
            key:
              key === undefined
                ? undefined
                : { person: key.person_id, revokedAs: key.revoked_as ?? undefined },
          });
          if (!verdict.good) return { revoked: false, reason: verdict.reason };
          const spent = await spendCounter(tx, verdict.signed);
          if (spent !== undefined) return { revoked: false, reason: spent };
          const sinceMs = read.since === undefined ? undefined : instantToMs(read.since);
          const what = await revokeKey(tx, {
            keyId: revokes,
            as: read.as,
            reason: read.reason,
            ...(sinceMs === undefined ? {} : { since: new Date(sinceMs) }),
            by,
            message: canonicalize(read),
          });
          return what === undefined
            ? { revoked: false, reason: 'revoked-already' }
            : { revoked: true, what };
        });
  if (!answer.revoked) {
    const detail = typeof read === 'string' ? '' : `${read.by} of ${read.revokes}`;
    await recordRefusal(db, { asked: 'revoke-key', reason: answer.reason, detail });
  }
  return answer;
}
