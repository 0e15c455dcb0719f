import type { Policy } from '../domain/policy/schema.js';
import { keyAdministrators } from '../domain/policy/activation.js';
import {
  personConcerned,
  registerMessageSchema,
  type RegisterChange,
  type RegisterMessage,
} from '../domain/register-change.js';
import { groupsOf } from '../domain/register.js';
import { canonicalize } from '../domain/canonical.js';
import { readAgents } from '../store/admissions.js';
import { databaseNow } from '../store/clock.js';
import type { Executor } from '../store/connect.js';
import { appendLog } from '../store/log.js';
import { lockFence } from '../store/policies.js';
import { recordRefusal } from '../store/refusals.js';
import { believingRegister } from './believed.js';
import { makeChange } from './make-change.js';
import type { Parts } from './parts.js';
import { policyInForce } from './policy.js';
import { judgeOrder, orderDigestOf, readMessage, reasonOf, type OrderVerdict } from './signed.js';
import { spendCounter } from './spend-counter.js';

export type Changed =
  | { readonly changed: true }
  /** `reason` is recorded; nothing changed. */
  | { readonly changed: false; readonly reason: string };

type Ceremony = Pick<Parts, 'db' | 'instance' | 'trust'>;

/** A statement is used within this time of its making. In ms. */
const USED_WITHIN_MS = 600_000;

/**
 * Makes one signed change of the register: an account linked, a person or an agent added, a right given back, a
 * delegation. Each statement counts once. Judged and done in one transaction under the fence's lock.
 */
export async function changeRegister(parts: Ceremony, message: unknown): Promise<Changed> {
  const { db } = parts;
  const read = readChange(message);
  const reason =
    typeof read === 'string'
      ? read
      : await db.transaction().execute(async (tx) => {
          await lockFence(tx);
          const verdict = await verdictOf(tx, parts, read);
          return verdict.good ? make(tx, read, verdict) : verdict.reason;
        });
  if (reason === undefined) return { changed: true };
  const asked =
    typeof read === 'string' ? 'change-register' : `change-register ${read.change.kind}`;
  const by = typeof read === 'string' ? '' : read.by;
  await recordRefusal(db, { asked, reason, detail: by });
  return { changed: false, reason };
}

function readChange(message: unknown): RegisterMessage | string {
  try {
    const { value } = readMessage(message);
    if (typeof value === 'object' && value !== null && !('signature' in value)) return 'unsigned';
    const parsed = registerMessageSchema.safeParse(value);
    return parsed.success ? parsed.data : 'malformed';
  } catch (error) {
    return reasonOf(error);
  }
}

async function verdictOf(
  tx: Executor,
  parts: Ceremony,
  message: RegisterMessage,
): Promise<OrderVerdict> {
  const { by, change, keyId } = message;
  const { policy } = await policyInForce(tx, parts);
  const register = await believingRegister(tx, parts, { persons: [by], keys: [keyId] });
  const person = register.person(by);
  const groups = person === undefined ? [] : groupsOf(person, policy);
  const may = await maySign(tx, { by, change, policy, groups });
  const nowMs = (await databaseNow(tx)).getTime();
  const verdict = judgeOrder(message, {
    instance: parts.instance,
    relyingParty: parts.trust.relyingParty,
    register,
    policy,
    nowMs,
    sinceMs: nowMs - USED_WITHIN_MS,
    groups: [],
    entitled: may === true ? by : undefined,
  });
  if (!verdict.good)
    return verdict.reason === 'not-in-group' && may !== true
      ? { good: false, reason: may }
      : verdict;
  const known = await tx
    .selectFrom('register_changes')
    .select('digest')
    .where('digest', '=', orderDigestOf(message))
    .executeTakeFirst();
  // guard: once. A resume that is said again after a later suspension resumes nothing.
  return known === undefined ? verdict : { good: false, reason: 'used-already' };
}

/**
 * Who may sign what: a person delegates for themselves alone; whoever answers for an agent registers and renews it; all
 * else is an administrator's, who never signs for themselves unless one person governs alone.
 */
async function maySign(
  tx: Executor,
  of: { by: string; change: RegisterChange; policy: Policy; groups: readonly string[] },
): Promise<true | string> {
  const { by, change, groups, policy } = of;
  if (change.kind === 'delegate') return true;
  if (await answersFor(tx, by, change)) return true;
  const asked = keyAdministrators(policy) ?? [];
  if (!groups.some((group) => asked.includes(group))) return 'not-in-group';
  // guard: nobody links an account to themselves, nor brings themselves back.
  return !policy.solo && personConcerned(change) === by ? 'not-for-oneself' : true;
}

async function answersFor(tx: Executor, by: string, change: RegisterChange): Promise<boolean> {
  if (change.kind === 'add-agent') return change.owner === by;
  const agent =
    change.kind === 'rotate-agent' ||
    change.kind === 'resume-agent' ||
    change.kind === 'turn-on-agent'
      ? change.agent
      : change.kind === 'link-account' && 'agent' in change.holder
        ? change.holder.agent
        : undefined;
  if (agent === undefined) return false;
  return (await readAgents(tx, [agent])).get(agent)?.owner_person === by;
}

/** Does what was signed, and records that it was; or says why nothing was there to be done. */
async function make(
  tx: Executor,
  message: RegisterMessage,
  { signed }: OrderVerdict & { readonly good: true },
): Promise<string | undefined> {
  const statement = canonicalize(message);
  const refusal = (await spendCounter(tx, signed)) ?? (await makeChange(tx, message, statement));
  if (refusal !== undefined) return refusal;
  await tx
    .insertInto('register_changes')
    .values({
      digest: orderDigestOf(message),
      kind: message.change.kind,
      message: statement,
      by_person: message.by,
    })
    .execute();
  const { by, change, keyId } = message;
  const payload = { kind: change.kind, digest: orderDigestOf(message), by, keyId };
  await appendLog(tx, { kind: 'register-change', payload });
  return undefined;
}
