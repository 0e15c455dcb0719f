import { sql } from 'kysely';
import { Failure } from '../domain/errors.js';
import type { EnrolMessage } from '../domain/key-statements.js';
import { canonicalize } from '../domain/canonical.js';
import type { KeyRecord } from '../domain/register.js';
import type { Executor } from './connect.js';
import { appendLog } from './log.js';
import { addNotice } from './notices.js';
import { addPerson } from './people.js';
import type { Row } from './schema.js';

const now = sql<Date>`countersign_now()`;

/** Keeps an enrolment: what the new key signed of itself. */
export async function insertEnrolment(
  tx: Executor,
  of: {
    readonly enrolment: string;
    readonly message: EnrolMessage;
    readonly key: KeyRecord;
    readonly name: string;
    readonly groups: readonly string[];
  },
): Promise<void> {
  const { enrolment, key, message } = of;
  await tx
    .insertInto('key_enrolments')
    .values({
      enrolment,
      key_id: key.keyId,
      person_id: key.person,
      person_name: of.name,
      groups: [...of.groups],
      algorithm: message.alg,
      public_key: key.publicKey,
      credential_id: key.passkey?.credentialId ?? null,
      rp_id: key.passkey?.rpId ?? null,
      handle: key.passkey?.handle ?? null,
      backup_eligible: key.passkey?.backupEligible ?? null,
      message: canonicalize(message),
      requested_at: now,
    })
    .execute();
  await appendLog(tx, {
    kind: 'key-enrolment',
    payload: { enrolment, keyId: key.keyId, personId: key.person },
  });
}

/** Is this public key, or this id, in the register or waiting for it? It is refused again, for ever. */
export async function isKeyKnown(
  db: Executor,
  of: { keyId: string; publicKey: string },
): Promise<boolean> {
  const { rows } = await sql<{ known: boolean }>`select
    exists (select 1 from keys where key_id = ${of.keyId} or public_key = ${of.publicKey})
    or exists (select 1 from key_enrolments where key_id = ${of.keyId}) as known`.execute(db);
  return rows[0]?.known === true;
}

export async function readEnrolment(
  db: Executor,
  enrolment: string,
): Promise<Row<'key_enrolments'> | undefined> {
  return db
    .selectFrom('key_enrolments')
    .selectAll()
    .where('enrolment', '=', enrolment)
    .executeTakeFirst();
}

/** Approvals of an enrolment, oldest first. */
export async function approvalsOf(
  db: Executor,
  enrolment: string,
): Promise<Row<'key_approvals'>[]> {
  return db
    .selectFrom('key_approvals')
    .selectAll()
    .where('enrolment', '=', enrolment)
    .orderBy('recorded_at')
    .execute();
}

export async function insertKeyApproval(
  tx: Executor,
  of: {
    readonly digest: string;
    readonly enrolment: string;
    readonly person: string;
    readonly keyId: string;
    readonly message: string;
  },
): Promise<void> {
  await tx
    .insertInto('key_approvals')
    .values({
      digest: of.digest,
      enrolment: of.enrolment,
      person_id: of.person,
      key_id: of.keyId,
      message: of.message,
      recorded_at: now,
    })
    .execute();
  await appendLog(tx, {
    kind: 'key-approval',
    payload: { enrolment: of.enrolment, by: of.person, keyId: of.keyId },
  });
}

/** Puts an admitted key into the register, with its person; it counts after `delayMs`. Every approver is told. */
export async function admitKey(
  tx: Executor,
  row: Row<'key_enrolments'>,
  delayMs: number,
): Promise<void> {
  const known = await tx
    .selectFrom('persons')
    .select('kind')
    .where('person_id', '=', row.person_id)
    .executeTakeFirst();
  // guard: services and agents hold no approver key.
  if (known?.kind === 'service')
    throw new Failure('REQUEST_INVALID', `${row.person_id} is a service and holds no approver key`);
  if (known === undefined)
    await addPerson(tx, {
      personId: row.person_id,
      name: row.person_name,
      groups: row.groups,
    });
  const { label } = JSON.parse(row.message) as { label: string };
  const { active_from: activeFrom } = await tx
    .insertInto('keys')
    .values({
      key_id: row.key_id,
      person_id: row.person_id,
      algorithm: row.algorithm,
      public_key: row.public_key,
      label,
      enrolled_at: now,
      active_from: sql<Date>`countersign_now() + from_ms(${delayMs})`,
      revoked_at: null,
      revoked_as: null,
      compromised_since: null,
      credential_id: row.credential_id,
      rp_id: row.rp_id,
      handle: row.handle,
      backup_eligible: row.backup_eligible,
      enrolment: row.enrolment,
    })
    .returning('active_from')
    .executeTakeFirstOrThrow();
  await addNotice(tx, {
    kind: 'key-admitted',
    dedupe: `key-admitted:${row.key_id}`,
    payload: { keyId: row.key_id, personId: row.person_id, activeFrom: activeFrom.toISOString() },
  });
  await appendLog(tx, {
    kind: 'key-enrolled',
    payload: { keyId: row.key_id, personId: row.person_id, enrolment: row.enrolment },
  });
}

/** Enrolments whose key is not in the register yet, oldest first. */
export async function waitingEnrolments(db: Executor): Promise<Row<'key_enrolments'>[]> {
  return db
    .selectFrom('key_enrolments')
    .selectAll()
    .where('key_id', 'not in', (eb) => eb.selectFrom('keys').select('keys.key_id'))
    .orderBy('requested_at')
    .execute();
}
