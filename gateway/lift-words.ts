import { evaluateRule } from '../domain/approval-rule.js';
import { type ResumeMessage, resumeMessageSchema } from '../domain/documents.js';
import type { Policy } from '../domain/policy/schema.js';
import { groupsOf } from '../domain/register.js';
import type { Executor } from '../store/connect.js';
import { believingRegister, type Pins } from './believed.js';
import { ROOTS_MIN } from './policy.js';
import { readMessage } from './signed.js';
import { stoodThen } from './stored-order.js';

/** A stored word as it was received; undefined: it is none. */
export function liftWordIn(text: string): ResumeMessage | undefined {
  try {
    return resumeMessageSchema.safeParse(readMessage(text).value).data;
  } catch {
    return undefined;
  }
}

/** When a stop began and was lifted, and the policy in force then; undefined: only pinned roots lift. */
export interface LiftedUnder {
  readonly since: Date;
  readonly at: Date;
  readonly policy: Policy | undefined;
}

/**
 * Do these words lift a stop together? Each is verified from its bytes: the wrong ones count as if they had not been said.
 * Where the policy names nobody for it, one word is enough; else as many persons as it names, or two with pinned roots.
 * Undefined: they do; else what is missing.
 */
export async function liftMissing(
  db: Executor,
  pins: Pins,
  words: readonly ResumeMessage[],
  { since, at, policy }: LiftedUnder,
): Promise<string | undefined> {
  const rule = policy?.lifting;
  const groups = rule?.allOf.map(({ group }) => group);
  const approvals: { person: string; groups: readonly string[] }[] = [];
  const rooted = new Set<string>();
  for (const word of words) {
    const asThen = { at, since, policy, ...(groups === undefined ? {} : { groups }) };
    if (!(await stoodThen(db, pins, word, asThen))) continue;
    // guard: where the policy does not ask for more, one person's word lifts a stop.
    if (rule === undefined || policy === undefined) return undefined;
    const { by, keyId } = word;
    if (pins.trust.rootKeys.includes(keyId)) rooted.add(by);
    const person = (await believingRegister(db, pins, { persons: [by], keys: [] })).person(by);
    if (person !== undefined) approvals.push({ person: by, groups: groupsOf(person, policy) });
  }
  if (rule === undefined) return 'a signature that counts';
  if (rooted.size >= ROOTS_MIN) return undefined;
  const { satisfied, missing } = evaluateRule(rule, approvals);
  return satisfied ? undefined : missing;
}
