import { evaluateRule } from '../domain/approval-rule.js';
import { canonicalize } from '../domain/canonical.js';
import type { SignatureVerdict } from '../domain/check-signature.js';
import { policyMessageSchema, type PolicyMessage } from '../domain/documents.js';
import type { Instance } from '../domain/ids.js';
import { activationRule } from '../domain/policy/activation.js';
import { parsePolicy, policyDigestOf, type Policy } from '../domain/policy/schema.js';
import { ProtocolError } from '../domain/reasons.js';
import { groupsOf } from '../domain/register.js';
import type { Trust } from '../domain/trust.js';
import { databaseNow } from '../store/clock.js';
import type { Executor } from '../store/connect.js';
import { insertPolicy, listPolicies, lockFence } from '../store/policies.js';
import { recordRefusal } from '../store/refusals.js';
import { lastBelieved, ROOTS_MIN } from './policy.js';
import { believingRegister } from './believed.js';
import type { Parts } from './parts.js';
import { judgeOrder, readMessage, reasonOf } from './signed.js';
import { spendCounter } from './spend-counter.js';

export type Activation =
  | { readonly activated: true; readonly version: number; readonly digest: string }
  /** `reason` is recorded; nothing changed. */
  | { readonly activated: false; readonly reason: string; readonly detail: string };

/**
 * Puts a policy in force: the document, and as many signed statements about it as the policy in force asks for, each of
 * another person. The version in a statement is the next one and no other, so that an older activation is never used
 * again. Everything is judged under the fence's lock: no authorize or claim commits in between.
 */
export async function activateSigned(
  { db, instance, trust }: Pick<Parts, 'db' | 'trust' | 'instance'>,
  policy: Policy,
  messages: readonly unknown[],
): Promise<Activation> {
  const document = canonicalize(parsePolicy(policy));
  const digest = policyDigestOf(policy);
  const answer = await db
    .transaction()
    .execute(async (tx): Promise<Activation> => {
      await lockFence(tx);
      const refusal = await refusalOf(tx, { instance, trust, digest, messages });
      if ('detail' in refusal) return { activated: false, ...refusal };
      const { version, signed } = refusal;
      const activatedBy = signed.map(({ by }) => by).join(' ');
      const reason = signed[0]?.reason ?? '';
      await insertPolicy(
        tx,
        { digest, document, activatedBy, statements: signed, reason },
        version,
      );
      return { activated: true, version, digest };
    })
    .catch((error: unknown): Activation => ({
      activated: false,
      reason: reasonOf(error),
      detail: 'nothing was written',
    }));
  if (!answer.activated)
    await recordRefusal(db, {
      asked: 'activate-policy',
      reason: answer.reason,
      detail: `${digest}: ${answer.detail}`,
    });
  return answer;
}

interface Asked {
  readonly instance: Instance;
  readonly trust: Trust;
  readonly digest: string;
  readonly messages: readonly unknown[];
}
type Refusal = { readonly reason: string; readonly detail: string };
type Accepted = { readonly version: number; readonly signed: readonly PolicyMessage[] };

const no = (reason: string, detail: string): Refusal => ({ reason, detail });

async function refusalOf(tx: Executor, asked: Asked): Promise<Refusal | Accepted> {
  const rows = await listPolicies(tx);
  const [latest] = rows;
  const valid = await lastBelieved(tx, asked, rows);
  const version = (latest?.version ?? 0) + 1;
  const rule = valid === undefined ? undefined : activationRule(valid.policy);
  const rooted = asked.trust.rootKeys.length > 0;
  if (latest === undefined || (valid === undefined && rooted))
    return byRoots(tx, asked, { version, sinceMs: latest?.activated_at.getTime() ?? 0 });
  if (valid === undefined || rule === undefined)
    return no('nobody-may', 'no policy that was ever in force names who may activate another');
  if (latest.digest === asked.digest && latest.version === valid.version)
    return no('in-force', `it is in force already, as version ${latest.version}`);
  if (asked.messages.length === 0) return no('unsigned', 'an activation is signed');
  const signed: PolicyMessage[] = [];
  const counters: (SignatureVerdict & { readonly good: true })[] = [];
  const approvals: { person: string; groups: readonly string[] }[] = [];
  for (const message of asked.messages) {
    const read = readActivation(message);
    if ('detail' in read) return read;
    const { by, keyId } = read;
    if (read.version !== version)
      return no('version-mismatch', `it is for version ${read.version}, the next is ${version}`);
    if (read.policyDigest !== asked.digest)
      return no('digest-mismatch', `it is for the document ${read.policyDigest}`);
    const register = await believingRegister(tx, asked, { persons: [by], keys: [keyId] });
    const verdict = judgeOrder(read, {
      instance: asked.instance,
      relyingParty: asked.trust.relyingParty,
      register,
      policy: valid.policy,
      nowMs: (await databaseNow(tx)).getTime(),
      sinceMs: latest.activated_at.getTime(),
      groups: rule.allOf.map(({ group }) => group),
    });
    if (!verdict.good) return no(verdict.reason, `the statement of ${by}`);
    counters.push(verdict.signed);
    const person = register.person(by);
    signed.push(read);
    approvals.push({
      person: by,
      groups: person === undefined ? [] : groupsOf(person, valid.policy),
    });
  }
  const standing = evaluateRule(rule, approvals);
  if (!standing.satisfied) return no('rule-not-met', standing.missing);
  for (const one of counters) {
    const spent = await spendCounter(tx, one);
    // The transaction writes nothing else then.
    if (spent !== undefined) throw new ProtocolError(spent, 'another statement came first');
  }
  return { version, signed };
}

/** The first policy of an installation with pinned roots, or of one with new ones: two persons sign it, each with a root. */
async function byRoots(
  tx: Executor,
  asked: Asked,
  { sinceMs, version }: { readonly version: number; readonly sinceMs: number },
): Promise<Refusal | Accepted> {
  const { rootKeys } = asked.trust;
  if (rootKeys.length < ROOTS_MIN)
    return no('nobody-may', 'no policy is in force, and no two root keys are pinned');
  const signed: PolicyMessage[] = [];
  for (const message of asked.messages) {
    const read = readActivation(message);
    if ('detail' in read) return read;
    const { by, keyId } = read;
    if (read.version !== version)
      return no('version-mismatch', `it is for version ${read.version}, the next is ${version}`);
    if (read.policyDigest !== asked.digest)
      return no('digest-mismatch', `it is for the document ${read.policyDigest}`);
    const verdict = judgeOrder(read, {
      instance: asked.instance,
      relyingParty: asked.trust.relyingParty,
      register: await believingRegister(tx, asked, { persons: [by], keys: [keyId] }),
      policy: undefined,
      rootKeys,
      nowMs: (await databaseNow(tx)).getTime(),
      sinceMs,
    });
    if (!verdict.good) return no(verdict.reason, `the statement of ${by}`);
    signed.push(read);
  }
  const persons = new Set(signed.map(({ by }) => by));
  return persons.size >= ROOTS_MIN
    ? { version, signed }
    : no('rule-not-met', 'two persons sign it, each with a pinned root key');
}

function readActivation(message: unknown): PolicyMessage | Refusal {
  try {
    const value = readMessage(message).value;
    if (typeof value === 'object' && value !== null && !('signature' in value))
      return no('unsigned', 'a statement without a signature');
    const parsed = policyMessageSchema.safeParse(value);
    if (parsed.success) return parsed.data;
    return no('malformed', 'not the shape of a policy statement');
  } catch (error) {
    return no(reasonOf(error), 'the statement cannot be read');
  }
}
