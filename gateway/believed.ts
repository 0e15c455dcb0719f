import { checkSignature } from '../domain/check-signature.js';
import { instantToMs } from '../domain/instant.js';
import {
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

type Pins = Pick<Parts, 'instance' | 'trust'>;

/** The register for these persons and keys; where roots are pinned without the keys that no chain leads to. */
export async function believingRegister(
  db: Executor,
  pins: Pins,
  of: { readonly persons: readonly string[]; readonly keys: readonly string[] },
): Promise<Register> {
  return believing(db, pins, await readRegister(db, of), of.keys);
}

/**
 * A register is a cache of signed statements: a key whose enrolment and approvals do not lead to pinned roots is no key,
 * whatever its row says. The signatures are verified from the stored bytes each time.
 */
export async function believing(
  db: Executor,
  pins: Pins,
  register: Register,
  keyIds: readonly string[],
): Promise<Register> {
  if (pins.trust.rootKeys.length === 0) return register;
  const believed = new Set<string>();
  for (const keyId of new Set(keyIds))
    if (await isChained(db, pins, keyId, [])) believed.add(keyId);
  return {
    person: register.person,
    key: (keyId) => (believed.has(keyId) ? register.key(keyId) : undefined),
  };
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
      (await approves(db, pins, approval)) &&
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

/** Does the stored approval stand: over this enrolment, by a key that was good when it was recorded? */
async function approves(
  db: Executor,
  pins: Pins,
  approval: Row<'key_approvals'>,
): Promise<boolean> {
  const parsed = approveEnrolMessageSchema.safeParse(JSON.parse(approval.message));
  if (!parsed.success) return false;
  const { by: person, enrolment, instance, keyId, signature } = parsed.data;
  if (instance !== pins.instance || enrolment !== approval.enrolment) return false;
  if (person !== approval.person_id || keyId !== approval.key_id) return false;
  const key = await db
    .selectFrom('keys')
    .selectAll()
    .where('key_id', '=', keyId)
    .executeTakeFirst();
  const record =
    key === undefined ? undefined : registerIn({ persons: [], keys: [key] }).key(keyId);
  if (key === undefined || record === undefined) return false;
  // What was approved before the key was lost stands; a retired key leaves it standing too.
  const lostMs = key.compromised_since?.getTime() ?? Infinity;
  if ((instantToMs(parsed.data.at) ?? Infinity) >= lostMs) return false;
  return checkSignature(
    { statement: statementOf(parsed.data), signature, keyId, person },
    {
      register: registerOf([], [{ ...record, revoked: false }]),
      relyingParty: pins.trust.relyingParty,
      nowMs: approval.recorded_at.getTime(),
    },
  ).good;
}
