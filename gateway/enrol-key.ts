import { canonicalize } from '../domain/canonical.js';
import { durationToMs } from '../domain/duration.js';
import { instantToMs } from '../domain/instant.js';
import {
  approveEnrolMessageSchema,
  enrolMessageSchema,
  enrolmentOf,
  possessionOf,
} from '../domain/key-statements.js';
import { keyAdministrators } from '../domain/policy/activation.js';
import type { Policy } from '../domain/policy/schema.js';
import { databaseNow } from '../store/clock.js';
import type { Executor } from '../store/connect.js';
import {
  admitKey,
  approvalsOf,
  insertEnrolment,
  insertKeyApproval,
  isKeyKnown,
  readEnrolment,
} from '../store/key-rows.js';
import { countPersons, lockRegister } from '../store/people.js';
import { recordRefusal } from '../store/refusals.js';
import { believingRegister, type Pins } from './believed.js';
import type { Parts } from './parts.js';
import { policyOrNone } from './policy.js';
import { judgeOrder, orderDigestOf, readMessage, reasonOf } from './signed.js';
import { spendCounter } from './spend-counter.js';

/** An enrol statement is made in a session that is no older than this. In ms. */
const FRESH_MS = 5 * 60_000;
const PRODUCTION_DELAY_MS = 24 * 3_600_000;

type Ceremony = Pick<Parts, 'db' | 'instance' | 'trust'>;

export type EnrolVerdict =
  /** `missing`: how many administrators have still to agree. */
  | { readonly accepted: true; readonly enrolment: string; readonly missing: number }
  | { readonly accepted: false; readonly reason: string };

/**
 * Takes a new key's own statement. It waits for administrators, unless it is a pinned root's, or the first of a register
 * on one's own machine (`first`: the code on the terminal was entered).
 */
export async function requestEnrolment(
  parts: Ceremony,
  of: {
    readonly message: unknown;
    readonly name: string;
    readonly groups: readonly string[];
    readonly first?: boolean;
  },
): Promise<EnrolVerdict> {
  const read = parsed(of.message, (value) => enrolMessageSchema.safeParse(value));
  if ('reason' in read) return refuse(parts, 'enrol', read.reason);
  const { message } = read;
  const { keyId, publicKey } = message;
  if (message.instance !== parts.instance) return refuse(parts, 'enrol', 'instance-mismatch');
  const possession = possessionOf(message, parts.trust.relyingParty);
  if (!possession.good) return refuse(parts, 'enrol', possession.reason);
  const enrolment = enrolmentOf(message);
  const verdict = await parts.db.transaction().execute(async (tx): Promise<EnrolVerdict> => {
    await lockRegister(tx);
    const age = (await databaseNow(tx)).getTime() - (instantToMs(message.enrolledAt) ?? 0);
    if (Math.abs(age) > FRESH_MS) return { accepted: false, reason: 'clock-skew' };
    if (await isKeyKnown(tx, { keyId, publicKey })) return { accepted: false, reason: 'key-known' };
    if (await isService(tx, message.person)) return { accepted: false, reason: 'not-human' };
    const { groups, name } = of;
    await insertEnrolment(tx, { enrolment, message, key: possession.key, name, groups });
    const first =
      of.first === true && parts.trust.rootKeys.length === 0 && (await countPersons(tx)) === 0;
    if (first || parts.trust.rootKeys.includes(keyId)) {
      await admit(tx, enrolment, 0);
      return { accepted: true, enrolment, missing: 0 };
    }
    return { accepted: true, enrolment, missing: await neededFor(tx, parts) };
  });
  return verdict.accepted ? verdict : refuse(parts, 'enrol', verdict.reason);
}

/**
 * Takes one administrator's signed word for a waiting key. Two other persons than its own admit it, one where one person
 * governs; it counts after the policy's delay.
 */
export async function approveEnrolment(parts: Ceremony, message: unknown): Promise<EnrolVerdict> {
  const read = parsed(message, (value) => approveEnrolMessageSchema.safeParse(value));
  if ('reason' in read) return refuse(parts, 'approve-enrol', read.reason);
  const order = read.message;
  const verdict = await parts.db.transaction().execute(async (tx): Promise<EnrolVerdict> => {
    await lockRegister(tx);
    const row = await readEnrolment(tx, order.enrolment);
    const policy = await policyOrNone(tx, parts);
    if (row === undefined) return { accepted: false, reason: 'enrolment-unknown' };
    const judged = judgeOrder(order, {
      instance: parts.instance,
      relyingParty: parts.trust.relyingParty,
      register: await believingRegister(tx, parts, { persons: [order.by], keys: [order.keyId] }),
      policy,
      nowMs: (await databaseNow(tx)).getTime(),
      sinceMs: row.requested_at.getTime(),
      groups: policy === undefined ? [] : (keyAdministrators(policy) ?? []),
      rootKeys: parts.trust.rootKeys,
    });
    if (!judged.good) return { accepted: false, reason: judged.reason };
    // guard: nobody admits a key of their own, unless one person governs.
    if (order.by === row.person_id && policy?.solo !== true)
      return { accepted: false, reason: 'own-key' };
    // guard: what is signed for is what is asked for, to the last group.
    if (order.groups !== undefined && order.groups.join() !== row.groups.join())
      return { accepted: false, reason: 'groups-mismatch' };
    const { enrolment } = row;
    const before = await approvalsOf(tx, enrolment);
    const needed = await neededFor(tx, parts);
    if (before.some(({ person_id }) => person_id === order.by))
      return { accepted: true, enrolment, missing: Math.max(0, needed - before.length) };
    const spent = await spendCounter(tx, judged.signed);
    if (spent !== undefined) return { accepted: false, reason: spent };
    await insertKeyApproval(tx, {
      digest: orderDigestOf(order),
      enrolment,
      person: order.by,
      keyId: order.keyId,
      message: canonicalize(order),
    });
    const missing = needed - before.length - 1;
    if (missing === 0) await admit(tx, enrolment, await delayOf(tx, policy));
    return { accepted: true, enrolment, missing: Math.max(0, missing) };
  });
  return verdict.accepted ? verdict : refuse(parts, 'approve-enrol', verdict.reason);
}

async function admit(tx: Executor, enrolment: string, delayMs: number): Promise<void> {
  const row = await readEnrolment(tx, enrolment);
  if (row === undefined) throw new Error(`invariant: the enrolment ${enrolment} was written`);
  await admitKey(tx, row, delayMs);
}

/** Administrators that a key needs: two, or the one person who governs. */
export async function neededFor(db: Executor, pins: Pins): Promise<number> {
  return (await policyOrNone(db, pins))?.solo === true ? 1 : 2;
}

/** From when an admitted key counts: what the policy says, else by the mode of the instance. In ms. */
async function delayOf(db: Executor, policy: Policy | undefined): Promise<number> {
  const said = policy?.keys?.delay;
  if (said !== undefined) return durationToMs(said) ?? PRODUCTION_DELAY_MS;
  const { mode } = await db.selectFrom('instance').select('mode').executeTakeFirstOrThrow();
  return mode === 'production' ? PRODUCTION_DELAY_MS : 0;
}

async function isService(db: Executor, person: string): Promise<boolean> {
  const row = await db
    .selectFrom('persons')
    .select('kind')
    .where('person_id', '=', person)
    .executeTakeFirst();
  return row?.kind === 'service';
}

function parsed<T>(
  message: unknown,
  parse: (value: unknown) => { success: true; data: T } | { success: false },
): { readonly message: T } | { readonly reason: string } {
  try {
    const { value } = readMessage(message);
    const result = parse(value);
    return result.success ? { message: result.data } : { reason: 'malformed' };
  } catch (error) {
    return { reason: reasonOf(error) };
  }
}

async function refuse({ db }: Ceremony, asked: string, reason: string): Promise<EnrolVerdict> {
  await recordRefusal(db, { asked, reason, detail: `a key was not admitted` });
  return { accepted: false, reason };
}
