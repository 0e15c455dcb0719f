import { evaluateRule } from '../domain/approval-rule.js';
import { policyMessageSchema, type PolicyMessage } from '../domain/documents.js';
import { Failure } from '../domain/errors.js';
import { activationRule } from '../domain/policy/activation.js';
import type { Policy } from '../domain/policy/schema.js';
import { groupsOf } from '../domain/register.js';
import type { Executor } from '../store/connect.js';
import { listPolicies } from '../store/policies.js';
import type { Row } from '../store/schema.js';
import { believingRegister, type Pins } from './believed.js';
import { policyOfRow, readablePolicy, type PolicyInForce } from './policy-row.js';
import { remembering } from './remembered.js';
import { lostKeys, stoodThen } from './stored-order.js';

/** Persons whose pinned roots put a policy in force by themselves: the first, or after all roots were lost. */
export const ROOTS_MIN = 2;

type PolicyText = Pick<Row<'policies'>, 'version' | 'digest' | 'document'>;

/** The policy in force: the newest row. @throws POLICY_MISSING when there is none, or it is not valid or not believed */
export async function policyInForce(db: Executor, pins: Pins): Promise<PolicyInForce> {
  const row = await db
    .selectFrom('policies')
    .select(['version', 'digest', 'document'])
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst();
  return believedPolicy(db, pins, row);
}

/** The policy in force; undefined when there is none that may be believed. */
export async function policyOrNone(db: Executor, pins: Pins): Promise<Policy | undefined> {
  try {
    return (await policyInForce(db, pins)).policy;
  } catch (error) {
    if (error instanceof Failure && error.code === 'POLICY_MISSING') return undefined;
    throw error;
  }
}

/** Activations that were proved by this process. */
const proved = remembering(500);

/**
 * The policy of a row. Where roots are pinned its activation is verified anew from the stored statements, against the
 * register and the versions before it: whoever can write to the database puts no policy in force.
 * @throws POLICY_MISSING
 */
export async function believedPolicy(
  db: Executor,
  pins: Pins,
  row: PolicyText | undefined,
): Promise<PolicyInForce> {
  const found = policyOfRow(row);
  if (pins.trust.rootKeys.length === 0) return found;
  const { digest, version } = found;
  const name = [pins.instance, version, digest, await lostKeys(db), ...pins.trust.rootKeys].join();
  // guard: a row without the signatures that its version needed is no policy.
  if (await proved(name, () => isActivated(db, pins, version))) return found;
  throw new Failure(
    'POLICY_MISSING',
    `policy version ${version} was not put in force by signatures that count here, so everything is denied: activate one anew (countersign policy activate)`,
  );
}

async function isActivated(db: Executor, pins: Pins, version: number): Promise<boolean> {
  const rows = (await listPolicies(db)).filter((row) => row.version <= version).reverse();
  let last: { readonly policy: Policy; readonly row: Row<'policies'> } | undefined;
  let good = false;
  for (const row of rows) {
    const policy = readablePolicy(row);
    good = policy !== undefined && (await wasSigned(db, pins, row, last));
    if (good && policy !== undefined) last = { policy, row };
  }
  return good;
}

/** The newest version that is a valid policy and believed: its rule holds while what came after it is not. */
export async function lastBelieved(
  db: Executor,
  pins: Pins,
  rows: readonly Row<'policies'>[],
): Promise<PolicyInForce | undefined> {
  for (const row of rows)
    try {
      return await believedPolicy(db, pins, row);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
    }
  return undefined;
}

/** Did its statements satisfy the rule of the version before, or were they of two persons with pinned roots? */
async function wasSigned(
  db: Executor,
  pins: Pins,
  row: Row<'policies'>,
  before: { readonly policy: Policy; readonly row: Row<'policies'> } | undefined,
): Promise<boolean> {
  const messages = messagesOf(row);
  if (messages === undefined || messages.length === 0) return false;
  const rule = before === undefined ? undefined : activationRule(before.policy);
  const approvals: { person: string; groups: readonly string[] }[] = [];
  const rooted = new Set<string>();
  for (const message of messages) {
    const { by, keyId } = message;
    const stood = await stoodThen(db, pins, message, {
      at: row.activated_at,
      since: before?.row.activated_at ?? new Date(0),
      policy: before?.policy,
      groups: rule?.allOf.map(({ group }) => group) ?? [],
    });
    if (!stood) return false;
    if (pins.trust.rootKeys.includes(keyId)) rooted.add(by);
    const person = (await believingRegister(db, pins, { persons: [by], keys: [] })).person(by);
    if (person !== undefined && before !== undefined)
      approvals.push({ person: by, groups: groupsOf(person, before.policy) });
  }
  if (rooted.size >= ROOTS_MIN) return true;
  return rule !== undefined && evaluateRule(rule, approvals).satisfied;
}

/** The statements of a row, all of them about this very version; undefined when one is not. */
function messagesOf(row: Row<'policies'>): readonly PolicyMessage[] | undefined {
  try {
    const parsed = policyMessageSchema.array().safeParse(JSON.parse(row.statements));
    if (!parsed.success) return undefined;
    const fits = ({ policyDigest, version }: PolicyMessage): boolean =>
      policyDigest === row.digest && version === row.version;
    return parsed.data.every(fits) ? parsed.data : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
