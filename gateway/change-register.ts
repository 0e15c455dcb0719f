import type { Policy } from '../domain/policy/schema.js';
import { keyAdministrators } from '../domain/policy/activation.js';
import {
  personConcerned,
  registerMessageSchema,
  type RegisterChange,
  type RegisterMessage,
} from '../domain/register-change.js';
import { groupsOf } from '../domain/register.js';
import { instantToMs } from '../domain/instant.js';
import { canonicalize } from '../domain/canonical.js';
import { linkAccountTo } from '../store/accounts.js';
import { readAgents } from '../store/admissions.js';
import { rotateAgent, setAgentOwner, setAgentState, setPersonActive } from '../store/agents.js';
import { databaseNow } from '../store/clock.js';
import type { Database, Executor } from '../store/connect.js';
import { addDelegation } from '../store/delegations.js';
import { appendLog } from '../store/log.js';
import { addAgent, addPerson } from '../store/people.js';
import { lockFence } from '../store/policies.js';
import { recordRefusal } from '../store/refusals.js';
import { policyInForce } from './policy.js';
import { readRegister } from './roles.js';
import { judgeOrder, orderDigestOf, readMessage, reasonOf } from './signed.js';

export type Changed =
  | { readonly changed: true }
  /** `reason` is recorded; nothing changed. */
  | { readonly changed: false; readonly reason: string };

/** A statement is used within this time of its making. In ms. */
const USED_WITHIN_MS = 600_000;

/**
 * Makes one signed change of the register: an account linked, a person or an agent added, a right given back, a
 * delegation. Each statement counts once. Judged and done in one transaction under the fence's lock.
 */
export async function changeRegister(
  { db, instance }: { readonly db: Database; readonly instance: string },
  message: unknown,
): Promise<Changed> {
  const read = readChange(message);
  const reason =
    typeof read === 'string'
      ? read
      : await db.transaction().execute(async (tx) => {
          await lockFence(tx);
          const refusal = await refusalOf(tx, instance, read);
          return refusal ?? (await make(tx, read));
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

/** The name of a group that no policy has: whoever may sign this very change is in it. */
const SIGNERS = '(may sign this)';

async function refusalOf(
  tx: Executor,
  instance: string,
  message: RegisterMessage,
): Promise<string | undefined> {
  const { by, change, keyId } = message;
  const { policy } = await policyInForce(tx);
  const register = await readRegister(tx, { persons: [by], keys: [keyId] });
  const person = register.person(by);
  const groups = person === undefined ? [] : groupsOf(person, policy);
  const may = await maySign(tx, { by, change, policy, groups });
  const nowMs = (await databaseNow(tx)).getTime();
  const verdict = judgeOrder(message, {
    instance,
    register,
    policy: {
      ...policy,
      groups: [...policy.groups, { name: SIGNERS, persons: may === true ? [by] : [] }],
    },
    nowMs,
    sinceMs: nowMs - USED_WITHIN_MS,
    groups: [SIGNERS],
  });
  if (!verdict.good)
    return verdict.reason === 'not-in-group' && may !== true ? may : verdict.reason;
  const known = await tx
    .selectFrom('register_changes')
    .select('digest')
    .where('digest', '=', orderDigestOf(message))
    .executeTakeFirst();
  // guard: once. A resume that is said again after a later suspension resumes nothing.
  return known === undefined ? undefined : 'used-already';
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
    change.kind === 'rotate-agent' || change.kind === 'resume-agent'
      ? change.agent
      : change.kind === 'link-account' && 'agent' in change.holder
        ? change.holder.agent
        : undefined;
  if (agent === undefined) return false;
  return (await readAgents(tx, [agent])).get(agent)?.owner_person === by;
}

/** Does what was signed, and records that it was; or says why nothing was there to be done. */
async function make(tx: Executor, message: RegisterMessage): Promise<string | undefined> {
  const statement = canonicalize(message);
  const refusal = await done(tx, message, statement);
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

const unless = (good: boolean, reason: string): string | undefined => (good ? undefined : reason);

async function done(
  tx: Executor,
  { by, change }: RegisterMessage,
  statement: string,
): Promise<string | undefined> {
  const missing = await nobody(tx, change);
  if (missing !== undefined) return missing;
  switch (change.kind) {
    case 'add-person':
      if ((await personOf(tx, change.person)) !== undefined) return 'taken';
      await addPerson(tx, { ...change, personId: change.person });
      return undefined;
    case 'reactivate-person': {
      const reason = `signed by ${by}`;
      const of = { personId: change.person, active: true, reason, by };
      return unless(await setPersonActive(tx, of), 'nothing-to-change');
    }
    case 'link-account': {
      const linked = await linkAccountTo(tx, { ...change, linkedBy: by, statement });
      return linked === 'linked' ? undefined : linked;
    }
    case 'add-agent':
      return unless(await addAgent(tx, { agentId: change.agent, owner: change.owner }), 'taken');
    case 'resume-agent': {
      const of = { agentId: change.agent, state: 'active', reason: `signed by ${by}`, by } as const;
      return unless(await setAgentState(tx, of), 'nothing-to-change');
    }
    case 'own-agent': {
      const of = { agentId: change.agent, owner: change.owner, by };
      return unless(await setAgentOwner(tx, of), 'nothing-to-change');
    }
    case 'rotate-agent': {
      const { agent: agentId, iss, sub } = change;
      const linked = await rotateAgent(tx, { agentId, iss, sub, by, statement });
      return linked === 'linked' ? undefined : linked;
    }
    case 'delegate':
      return unless(
        await addDelegation(tx, {
          ...change,
          delegationId: change.delegation,
          person: by,
          until: new Date(instantToMs(change.until) ?? 0),
          statement,
        }),
        'taken',
      );
  }
}

const personOf = (tx: Executor, person: string): Promise<{ active: boolean } | undefined> =>
  tx.selectFrom('persons').select('active').where('person_id', '=', person).executeTakeFirst();

/** Whom the change names and the register does not know. */
async function nobody(tx: Executor, change: RegisterChange): Promise<string | undefined> {
  const person =
    change.kind === 'link-account' && 'person' in change.holder
      ? change.holder.person
      : 'owner' in change
        ? change.owner
        : undefined;
  if (person !== undefined && (await personOf(tx, person))?.active !== true)
    return 'person-unknown';
  const agent =
    change.kind === 'link-account' && 'agent' in change.holder
      ? change.holder.agent
      : 'agent' in change && change.kind !== 'add-agent'
        ? change.agent
        : undefined;
  if (agent === undefined) return undefined;
  const row = (await readAgents(tx, [agent])).get(agent);
  return row === undefined || row.state === 'removed' ? 'agent-unknown' : undefined;
}
