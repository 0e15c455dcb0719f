import { z } from 'zod';
import { NOTICE_KINDS } from '../notices.js';
import { environment, httpsUrl, person, stepOrAll, title, word } from './members.js';

/** Members of a policy about the life of a gate, and about whom is told what. */

const percent = z.int().min(1).max(99);

/** A reminder to those who are asked already, after this share of a gate's time. */
export const reminders = z.strictObject({ atPercent: percent.default(50) });

/** Tells further people that a gate still waits. It only tells: nobody becomes an approver by it, and no rule gets weaker. */
export const escalation = z.strictObject({
  atPercent: percent.default(75),
  /** Groups and persons, by name and register id. */
  to: z.array(word).min(1).max(50),
  /** What they should know, in the policy's own words. */
  note: title.optional(),
});

/** One place that notices are sent to. The policy names the secrets; their values lie in files, never here. */
const target = z.strictObject({
  name: word,
  to: httpsUrl,
  format: z.enum(['webhook', 'slack']),
  kinds: z
    .array(z.enum(['*', ...NOTICE_KINDS]))
    .min(1)
    .max(60),
  /** Names the key that signs every notice to this place. */
  secret: word,
  /** Names the file that holds the rest of the address, where the address itself is a secret. */
  pathSecret: word.optional(),
});
export const notices = z.array(target).max(20);

/**
 * Who may pass a gate alone when nobody else can be reached: one named person, for one run, for at most an hour, never
 * past a cap, a stop or a denial, and once until somebody else has reviewed it.
 */
export const breakGlass = z
  .array(
    z.strictObject({
      person,
      maxMinutes: z.int().min(1).max(60),
      environments: z.array(environment).min(1).max(3),
      steps: z.array(stepOrAll).min(1).max(8),
    }),
  )
  .max(20);

export type NoticeTarget = z.infer<typeof target>;
export type BreakGlassRule = z.infer<typeof breakGlass>[number];

/** When the reminder of a gate is due, in percent of its time. */
export const reminderPercentOf = (policy: Lifed): number => policy.reminders?.atPercent ?? 50;
/** When its escalation is due, in percent of its time. */
export const escalationPercentOf = (policy: Lifed): number => policy.escalation?.atPercent ?? 75;

interface Lifed {
  readonly reminders?: z.infer<typeof reminders> | undefined;
  readonly escalation?: z.infer<typeof escalation> | undefined;
}
