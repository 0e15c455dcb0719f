import { canonicalize } from '../domain/canonical.js';
import type { ResumeMessage } from '../domain/documents.js';
import { databaseNow } from '../store/clock.js';
import { addLiftWord, liftWordsOf } from '../store/lift-words.js';
import { recordRefusal } from '../store/refusals.js';
import { standingStop } from '../store/stop-scope.js';
import { liftMissing, liftWordIn } from './lift-words.js';
import type { Parts } from './parts.js';
import { policyInForce } from './policy.js';
import { believingRegister } from './believed.js';
import { judgeOrder, orderDigestOf, type OrderVerdict, type Signed } from './signed.js';
import { spendCounter } from './spend-counter.js';

/** `missing`: the word counts, and the policy asks for more of them. */
export type LiftAnswer =
  | { readonly lifted: true }
  | { readonly lifted: false; readonly reason: string; readonly missing?: string };

/**
 * Lifts a fence on a signed resume statement, once; where the policy asks several persons, on the last of their words.
 * `reason` says why not.
 */
export async function liftFence(
  parts: Pick<Parts, 'db' | 'door' | 'instance' | 'trust'>,
  message: ResumeMessage,
): Promise<LiftAnswer> {
  const { db, door } = parts;
  const { policy } = await policyInForce(db, parts);
  const stop = await standingStop(db, message.scope);
  const since = stop?.fencedAt ?? new Date(0);
  const groups = policy.lifting?.allOf.map(({ group }) => group);
  const verdict = await verdictOf(parts, message, since, groups);
  if (!verdict.good) return { lifted: false, reason: verdict.reason };
  if (stop === undefined) return { lifted: false, reason: 'nothing-to-lift' };
  const spent = await spendCounter(db, verdict.signed);
  if (spent !== undefined) return { lifted: false, reason: spent };
  const statement = orderDigestOf(message);
  const said = { statement, stopId: stop.stopId, person: message.by };
  await addLiftWord(db, { ...said, message: canonicalize(message) });
  // guard: what was said before is verified anew with it, as it will be at each effect from then on.
  const words = policy.lifting === undefined ? [message] : await wordsNow(parts, stop.stopId);
  const missing = await liftMissing(db, parts, words, { since, at: await databaseNow(db), policy });
  if (missing !== undefined) return { lifted: false, reason: 'words-missing', missing };
  const lifted = await door.resume({
    scope: message.scope,
    by: message.by,
    statementDigest: statement,
    message: words.map((word) => canonicalize(word)).join('\n'),
  });
  return lifted ? { lifted } : { lifted: false, reason: 'nothing-to-lift' };
}

/** The words said so far by persons who are still active. */
async function wordsNow(
  parts: Pick<Parts, 'db' | 'instance' | 'trust'>,
  stopId: number,
): Promise<readonly ResumeMessage[]> {
  const words = (await liftWordsOf(parts.db, stopId)).flatMap((text) => liftWordIn(text) ?? []);
  const register = await believingRegister(parts.db, parts, {
    persons: words.map(({ by }) => by),
    keys: [],
  });
  return words.filter(({ by }) => register.person(by)?.active === true);
}

/** The same for whoever brings the statement themselves: a refusal is on record by its reason. */
export async function liftStop(
  parts: Pick<Parts, 'db' | 'door' | 'instance' | 'trust'>,
  message: ResumeMessage,
): Promise<LiftAnswer> {
  const answer = await liftFence(parts, message);
  const { scope } = message;
  // guard: what is tried at the stop without a run to tell of it leaves its trace as well.
  if (!answer.lifted && answer.missing === undefined)
    await recordRefusal(parts.db, {
      ...(scope.startsWith('run/') ? { runId: scope.slice('run/'.length) } : {}),
      asked: 'resume',
      reason: answer.reason,
      detail: `resume of ${scope}`,
    });
  return answer;
}

/** Does a signed order to a run count now? `since` is when what it is about began, `groups` whose members may sign it. */
export async function verdictOf(
  parts: Pick<Parts, 'db' | 'instance' | 'trust'>,
  order: Signed,
  since: Date,
  groups?: readonly string[],
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
    ...(groups === undefined ? {} : { groups }),
    nowMs: (await databaseNow(parts.db)).getTime(),
    sinceMs: since.getTime(),
  });
}
