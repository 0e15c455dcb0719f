import { evaluateRule } from '../domain/approval-rule.js';
import { type ResumeMessage, resumeMessageSchema } from '../domain/documents.js';
import type { Policy } from '../domain/policy/schema.js';
import { groupsOf } from '../domain/register.js';
import type { Executor } from '../store/connect.js';
import { stopsOfWords } from '../store/lift-words.js';
import { believingRegister, type Pins } from './believed.js';
import { ROOTS_MIN } from './policy.js';
import { orderDigestOf, readMessage } from './signed.js';
import { stoodThen } from './stored-order.js';

/** A stored word as it was received; undefined: it is none. */
export function liftWordIn(text: string): ResumeMessage | undefined {
  try {
    return resumeMessageSchema.safeParse(readMessage(text).value).data;
  } catch {
    return undefined;
  }
}

/** A stop, when it was lifted, and the policy in force then; undefined: none is believed. */
export interface LiftedUnder {
  readonly stopId: number;
  readonly scope: string;
  /** When somebody asked for it last. */
  readonly since: Date;
  readonly at: Date;
  readonly policy: Policy | undefined;
}

/** The words that stand, and who is missing besides; `missing` undefined: together they lift the stop. */
export interface LiftStanding {
  readonly words: readonly ResumeMessage[];
  readonly missing: string | undefined;
}

/**
 * Do these words lift a stop together? Each is verified from its bytes: one that does not stand, or was said about another
 * stop, counts as if it had not been said. Where the policy names nobody for it, one word is enough; else as many persons as
 * it names, or two with pinned roots.
 */
export async function liftStanding(
  db: Executor,
  pins: Pins,
  said: readonly ResumeMessage[],
  of: LiftedUnder,
): Promise<LiftStanding> {
  const { policy } = of;
  const rule = policy?.lifting;
  const words = await standing(db, pins, said, of);
  const approvals: { person: string; groups: readonly string[] }[] = [];
  const rooted = new Set<string>();
  for (const { by, keyId } of words) {
    if (pins.trust.rootKeys.includes(keyId)) rooted.add(by);
    const person = (await believingRegister(db, pins, { persons: [by], keys: [] })).person(by);
    if (person !== undefined && policy !== undefined)
      approvals.push({ person: by, groups: groupsOf(person, policy) });
  }
  if (rooted.size >= ROOTS_MIN) return { words, missing: undefined };
  // guard: a policy that is not believed asks for nobody, and so lets nobody lift alone.
  if (policy === undefined) return { words, missing: `${ROOTS_MIN} with pinned root keys` };
  if (rule === undefined)
    return { words, missing: words.length > 0 ? undefined : 'a word that counts' };
  const { satisfied, missing } = evaluateRule(rule, approvals);
  return { words, missing: satisfied ? undefined : missing };
}

async function standing(
  db: Executor,
  pins: Pins,
  said: readonly ResumeMessage[],
  { at, policy, scope, since, stopId }: LiftedUnder,
): Promise<readonly ResumeMessage[]> {
  const groups = policy?.lifting?.allOf.map(({ group }) => group);
  const about = await stopsOfWords(db, said.map(orderDigestOf));
  const words: ResumeMessage[] = [];
  for (const word of said) {
    // guard: a word lifts the one stop that it was said about, however soon the next one came.
    if (word.scope !== scope || (about.get(orderDigestOf(word)) ?? stopId) !== stopId) continue;
    const asThen = { at, since, policy, ...(groups === undefined ? {} : { groups }) };
    if (await stoodThen(db, pins, word, asThen)) words.push(word);
  }
  return words;
}
