import type { ResumeMessage } from '../domain/documents.js';
import { databaseNow } from '../store/clock.js';
import type { Parts } from './parts.js';
import { policyInForce } from './policy.js';
import { readRegister } from './roles.js';
import { orderDigestOf, signedRefusal, type Signed } from './signed.js';

/** Lifts a fence on a signed resume statement, once. `reason` says why not. */
export async function liftFence(
  parts: Pick<Parts, 'db' | 'door' | 'instance'>,
  message: ResumeMessage,
): Promise<{ readonly lifted: true } | { readonly lifted: false; readonly reason: string }> {
  const fence = await parts.db
    .selectFrom('fences')
    .innerJoin('stops', 'stops.stop_id', 'fences.stop_id')
    .select('stops.fenced_at')
    .where('fences.scope', '=', message.scope)
    .executeTakeFirst();
  const refusal = await refusalOf(parts, message, fence?.fenced_at ?? new Date(0));
  if (refusal !== undefined) return { lifted: false, reason: refusal };
  const lifted = await parts.door.resume({
    scope: message.scope,
    by: message.by,
    statementDigest: orderDigestOf(message),
  });
  return lifted ? { lifted } : { lifted: false, reason: 'nothing-to-lift' };
}

/** Why a signed order to a run does not count now, or undefined; `since` is when what it is about began. */
export async function refusalOf(
  parts: Pick<Parts, 'db' | 'instance'>,
  order: Signed,
  since: Date,
): Promise<string | undefined> {
  const { policy } = await policyInForce(parts.db);
  return signedRefusal(order, {
    instance: parts.instance,
    register: await readRegister(parts.db, { persons: [order.by], keys: [order.keyId] }),
    policy,
    nowMs: (await databaseNow(parts.db)).getTime(),
    sinceMs: since.getTime(),
  });
}
