import { canonicalize } from '../domain/canonical.js';
import type { ResumeMessage } from '../domain/documents.js';
import { databaseNow } from '../store/clock.js';
import { recordRefusal } from '../store/refusals.js';
import { standingStop } from '../store/stop-scope.js';
import type { Parts } from './parts.js';
import { policyInForce } from './policy.js';
import { believingRegister } from './believed.js';
import { judgeOrder, orderDigestOf, type OrderVerdict, type Signed } from './signed.js';
import { spendCounter } from './spend-counter.js';

/** Lifts a fence on a signed resume statement, once. `reason` says why not. */
export async function liftFence(
  parts: Pick<Parts, 'db' | 'door' | 'instance' | 'trust'>,
  message: ResumeMessage,
): Promise<{ readonly lifted: true } | { readonly lifted: false; readonly reason: string }> {
  const fence = await standingStop(parts.db, message.scope);
  const verdict = await verdictOf(parts, message, fence?.fencedAt ?? new Date(0));
  if (!verdict.good) return { lifted: false, reason: verdict.reason };
  if (fence === undefined) return { lifted: false, reason: 'nothing-to-lift' };
  const spent = await spendCounter(parts.db, verdict.signed);
  if (spent !== undefined) return { lifted: false, reason: spent };
  const lifted = await parts.door.resume({
    scope: message.scope,
    by: message.by,
    statementDigest: orderDigestOf(message),
    message: canonicalize(message),
  });
  return lifted ? { lifted } : { lifted: false, reason: 'nothing-to-lift' };
}

/** The same for whoever brings the statement themselves: a refusal is on record by its reason. */
export async function liftStop(
  parts: Pick<Parts, 'db' | 'door' | 'instance' | 'trust'>,
  message: ResumeMessage,
): ReturnType<typeof liftFence> {
  const answer = await liftFence(parts, message);
  const { scope } = message;
  // guard: what is tried at the stop without a run to tell of it leaves its trace as well.
  if (!answer.lifted)
    await recordRefusal(parts.db, {
      ...(scope.startsWith('run/') ? { runId: scope.slice('run/'.length) } : {}),
      asked: 'resume',
      reason: answer.reason,
      detail: `resume of ${scope}`,
    });
  return answer;
}

/** Does a signed order to a run count now? `since` is when what it is about began. */
export async function verdictOf(
  parts: Pick<Parts, 'db' | 'instance' | 'trust'>,
  order: Signed,
  since: Date,
): Promise<OrderVerdict> {
  const { policy } = await policyInForce(parts.db, parts);
  return judgeOrder(order, {
    instance: parts.instance,
    relyingParty: parts.trust.relyingParty,
    rootKeys: parts.trust.rootKeys,
    register: await believingRegister(parts.db, parts, {
      persons: [order.by],
      keys: [order.keyId],
    }),
    policy,
    nowMs: (await databaseNow(parts.db)).getTime(),
    sinceMs: since.getTime(),
  });
}
