import { checkSignature } from '../domain/check-signature.js';
import { instantToMs } from '../domain/instant.js';
import {
  type ApproveEnrolMessage,
  approveEnrolMessageSchema,
  enrolMessageSchema,
  enrolmentOf,
  possessionOf,
  statementOf,
} from '../domain/key-statements.js';
import { type Register, registerOf } from '../domain/register.js';
import type { Executor } from '../store/connect.js';
import { approvalsOf, readEnrolment } from '../store/key-rows.js';
import type { Row } from '../store/schema.js';
import type { Parts } from './parts.js';
import { readRegister, registerIn } from './roles.js';

/** Keys that approve keys that approve keys: longer chains than this are not followed. */
const LINKS_MAX = 20;
/** Where roots are pinned there are two at least, so this holds whatever a policy says of one person. */
const APPROVALS_MIN = 2;

export type Pins = Pick<Parts, 'instance' | 'trust'>;

/** The register for these persons and keys; where roots are pinned without the keys that no chain leads to. */
export async function believingRegister(
  db: Executor,
  pins: Pins,
  of: { readonly persons: readonly string[]; readonly keys: readonly string[] },
): Promise<Register> {
  return believing(db, pins, await readRegister(db, of), of);
}

/**
 * A register is a cache of signed statements: a key whose enrolment and approvals do not lead to pinned roots is no key,
 * whatever its row says, and a person has the groups that were signed for with a key of theirs. The signatures are
 * verified from the stored bytes each time.
 */
export async function believing(
  db: Executor,
  pins: Pins,
  register: Register,
  of: { readonly persons: readonly string[]; readonly keys: readonly string[] },
): Promise<Register> {
  if (pins.trust.rootKeys.length === 0) return register;
  const believed = new Set<string>();
  for (const keyId of new Set(of.keys))
    if (await isChained(db, pins, keyId, [])) believed.add(keyId);
  const signed = new Map<string, readonly string[]>();
  for (const person of new Set(of.persons))
    signed.set(person, await signedGroups(db, pins, person));
  return {
    person: (id) => {
      const person = register.person(id);
      // guard: a group that nobody has signed for is a word in a row.
      return person === undefined ? undefined : { ...person, groups: signed.get(id) ?? [] };
    },
    key: (keyId) => (believed.has(keyId) ? register.key(keyId) : undefined),
  };
}

/** Groups that enough of those who admitted a key of this person have named in their words. */
async function signedGroups(db: Executor, pins: Pins, person: string): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('keys')
    .select('enrolment')
    .where('person_id', '=', person)
    .where('enrolment', 'is not', null)
    .execute();
  const groups = new Set<string>();
  for (const { enrolment } of rows) {
    const namedBy = new Map<string, Set<string>>();
    for (const approval of await approvalsOf(db, enrolment ?? '')) {
      const order = await approves(db, pins, approval);
      if (order === undefined || order.by === person) continue;
      if (!(await isChained(db, pins, order.keyId, []))) continue;
      for (const group of order.groups ?? [])
        namedBy.set(group, (namedBy.get(group) ?? new Set()).add(order.by));
    }
    for (const [group, by] of namedBy) if (by.size >= APPROVALS_MIN) groups.add(group);
  }
  return [...groups];
}

async function isChained(
  db: Executor,
  pins: Pins,
  keyId: string,
  below: readonly string[],
): Promise<boolean> {
  if (below.includes(keyId) || below.length >= LINKS_MAX) return false;
  const key = await db
    .selectFrom('keys')
    .selectAll()
    .where('key_id', '=', keyId)
    .executeTakeFirst();
  const row = key?.enrolment == null ? undefined : await readEnrolment(db, key.enrolment);
  if (key === undefined || row === undefined || !isPossessed(row, key, pins)) return false;
  // guard: the pin names the key; the key itself has signed whose it is.
  if (pins.trust.rootKeys.includes(keyId)) return true;
  const persons = new Set<string>();
  for (const approval of await approvalsOf(db, row.enrolment))
    if (
      approval.person_id !== key.person_id &&
      (await approves(db, pins, approval)) !== undefined &&
      (await isChained(db, pins, approval.key_id, [...below, keyId]))
    )
      persons.add(approval.person_id);
  return persons.size >= APPROVALS_MIN;
}

/** Is the row what the new key signed of itself? */
function isPossessed(row: Row<'key_enrolments'>, key: Row<'keys'>, pins: Pins): boolean {
  const parsed = enrolMessageSchema.safeParse(JSON.parse(row.message));
  if (!parsed.success || parsed.data.instance !== pins.instance) return false;
  if (enrolmentOf(parsed.data) !== row.enrolment) return false;
  const possession = possessionOf(parsed.data, pins.trust.relyingParty);
  const registered = registerIn({ persons: [], keys: [key] }).key(key.key_id);
  return (
    possession.good &&
    registered !== undefined &&
    possession.key.keyId === registered.keyId &&
    possession.key.person === registered.person &&
    possession.key.publicKey === registered.publicKey &&
    possession.key.algorithm === registered.algorithm &&
    possession.key.passkey?.credentialId === registered.passkey?.credentialId &&
    possession.key.passkey?.handle === registered.passkey?.handle &&
    possession.key.passkey?.backupEligible === registered.passkey?.backupEligible
  );
}

/** The stored approval, if it stands: over this enrolment, by a key that was good when it was recorded. */
async function approves(
  db: Executor,
  pins: Pins,
  approval: Row<'key_approvals'>,
): Promise<ApproveEnrolMessage | undefined> {
  const parsed = approveEnrolMessageSchema.safeParse(JSON.parse(approval.message));
  if (!parsed.success) return undefined;
  const { by: person, enrolment, instance, keyId, signature } = parsed.data;
  if (instance !== pins.instance || enrolment !== approval.enrolment) return undefined;
  if (person !== approval.person_id || keyId !== approval.key_id) return undefined;
  const key = await db
    .selectFrom('keys')
    .selectAll()
    .where('key_id', '=', keyId)
    .executeTakeFirst();
  const record =
    key === undefined ? undefined : registerIn({ persons: [], keys: [key] }).key(keyId);
  if (key === undefined || record === undefined) return undefined;
  // What was approved before the key was lost stands; a retired key leaves it standing too.
  const lostMs = key.compromised_since?.getTime() ?? Infinity;
  if ((instantToMs(parsed.data.at) ?? Infinity) >= lostMs) return undefined;
  const { good } = checkSignature(
    { statement: statementOf(parsed.data), signature, keyId, person },
    {
      register: registerOf([], [{ ...record, revoked: false }]),
      relyingParty: pins.trust.relyingParty,
      nowMs: approval.recorded_at.getTime(),
    },
  );
  return good ? parsed.data : undefined;
}
