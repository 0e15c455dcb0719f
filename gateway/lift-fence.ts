import { canonicalize } from '../domain/canonical.js';
import type { ResumeMessage } from '../domain/documents.js';
import { databaseNow } from '../store/clock.js';
import { addLiftWord, liftWordsOf, stopsOfWords } from '../store/lift-words.js';
import { appendLog } from '../store/log.js';
import { recordRefusal } from '../store/refusals.js';
import { standingStop } from '../store/stop-scope.js';
import { liftStanding, liftWordIn } from './lift-words.js';
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
  const { scope } = message;
  const { policy } = await policyInForce(db, parts);
  const stop = await standingStop(db, scope);
  const statement = orderDigestOf(message);
  const about = (await stopsOfWords(db, [statement])).get(statement);
  const since = stop?.askedAt ?? new Date(0);
  const groups = policy.lifting?.allOf.map(({ group }) => group);
  const again = about !== undefined && about === stop?.stopId;
  const verdict = await verdictOf(parts, message, since, { groups, again });
  if (!verdict.good) return { lifted: false, reason: verdict.reason };
  if (stop === undefined) return { lifted: false, reason: 'nothing-to-lift' };
  const { stopId } = stop;
  if (about !== undefined && !again) return { lifted: false, reason: 'used-already' };
  const refused = again ? undefined : await sayWord(parts, message, { verdict, stopId, groups });
  if (refused !== undefined) return { lifted: false, reason: refused };
  // guard: what was said before is verified anew with it, as it will be at each effect from then on.
  const said = policy.lifting === undefined ? [message] : await wordsNow(parts, stopId);
  const at = await databaseNow(db);
  const { words, missing } = await liftStanding(db, parts, said, {
    ...{ stopId, scope, since, at, policy },
  });
  if (missing !== undefined) return { lifted: false, reason: 'words-missing', missing };
  const lifted = await door.resume({
    scope,
    by: message.by,
    statementDigest: statement,
    message: words.map((word) => canonicalize(word)).join('\n'),
    stopId,
  });
  return lifted ? { lifted } : { lifted: false, reason: 'nothing-to-lift' };
}

/** Puts a word on record with the stop that it is about, and spends the passkey's counter with it: both or neither. */
async function sayWord(
  { db }: Pick<Parts, 'db'>,
  message: ResumeMessage,
  of: {
    readonly verdict: OrderVerdict & { readonly good: true };
    readonly stopId: number;
    readonly groups: readonly string[] | undefined;
  },
): Promise<'webauthn-counter' | undefined> {
  const { by: person, scope } = message;
  const statement = orderDigestOf(message);
  return db.transaction().execute(async (tx) => {
    const spent = await spendCounter(tx, of.verdict.signed);
    if (spent !== undefined) return spent;
    await addLiftWord(tx, {
      ...{ statement, stopId: of.stopId, person, message: canonicalize(message) },
    });
    // One word that lifts is told by the lift itself.
    if (of.groups !== undefined)
      await appendLog(tx, {
        kind: 'resume-said',
        ...(scope.startsWith('run/') ? { runId: scope.slice('run/'.length) } : {}),
        payload: { scope, stop: of.stopId, by: person, statement },
      });
    return undefined;
  });
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
  {
    groups,
    again = false,
  }: { readonly groups?: readonly string[] | undefined; readonly again?: boolean } = {},
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
    ...(again ? { again } : {}),
    nowMs: (await databaseNow(parts.db)).getTime(),
    sinceMs: since.getTime(),
  });
}
