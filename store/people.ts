import { sql } from 'kysely';
import { decodeBase64url } from '../domain/base64url.js';
import { Failure } from '../domain/errors.js';
import { publicKeyProblem } from '../domain/signature.js';
import type { Executor } from './connect.js';
import { appendLog } from './log.js';
import { addNotice } from './notices.js';
import type { Row } from './schema.js';

/** Persons, their keys, agents, principals and service keys, as an operator keeps them. Each change is logged. */

export interface NewPerson {
  readonly personId: string;
  readonly name: string;
  readonly groups: readonly string[];
}

export interface NewKey {
  readonly keyId: string;
  readonly personId: string;
  /** Raw public key, base64url. */
  readonly publicKey: string;
  readonly label: string;
  /** How the enrolment came about: the statement and its signatures. */
  readonly evidence: Readonly<Record<string, string>>;
}

const now = sql<Date>`countersign_now()`;

/** How many persons the register holds: the bootstrap code counts only while there are none. */
export async function countPersons(db: Executor): Promise<number> {
  const { count } = await db
    .selectFrom('persons')
    .select(sql<number>`count(*)`.as('count'))
    .executeTakeFirstOrThrow();
  return count;
}

/** Keeps two enrolments of a "first" person apart; held until the transaction ends. */
export async function lockRegister(tx: Executor): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended('register', 0))`.execute(tx);
}

/** guard: under a key of small order one signature fits every message. */
function mustBeSound(publicKey: string): void {
  const raw = decodeBase64url(publicKey);
  const problem = raw === undefined ? 'it is not base64url' : publicKeyProblem(raw);
  if (problem !== undefined)
    throw new Failure('REQUEST_INVALID', `this key cannot be enrolled: ${problem}`);
}

export async function addPerson(tx: Executor, person: NewPerson): Promise<void> {
  await tx
    .insertInto('persons')
    .values({
      person_id: person.personId,
      name: person.name,
      groups: [...person.groups],
      created_at: now,
    })
    .execute();
  await appendLog(tx, {
    kind: 'person',
    payload: { personId: person.personId, groups: person.groups.join(' ') },
  });
}

/** Enrols a key. @throws Failure REQUEST_INVALID for one that no signature may be checked with */
export async function addKey(tx: Executor, key: NewKey): Promise<void> {
  mustBeSound(key.publicKey);
  await tx
    .insertInto('keys')
    .values({
      key_id: key.keyId,
      person_id: key.personId,
      public_key: key.publicKey,
      label: key.label,
      enrolled_at: now,
      active_from: now,
      revoked_at: null,
      revoked_as: null,
      compromised_since: null,
    })
    .execute();
  await appendLog(tx, {
    kind: 'key-enrolled',
    payload: { keyId: key.keyId, personId: key.personId, ...key.evidence },
  });
}

export interface PersonWithKeys {
  readonly person: Row<'persons'>;
  readonly keys: readonly Row<'keys'>[];
}

/** All persons with their keys, oldest first. */
export async function listPeople(db: Executor): Promise<PersonWithKeys[]> {
  const persons = await db.selectFrom('persons').selectAll().orderBy('created_at').execute();
  const keys = await db.selectFrom('keys').selectAll().orderBy('enrolled_at').execute();
  return persons.map((person) => ({
    person,
    keys: keys.filter((key) => key.person_id === person.person_id),
  }));
}

/** A key and the person it belongs to. */
export async function findKey(
  db: Executor,
  keyId: string,
): Promise<{ readonly key: Row<'keys'>; readonly person: Row<'persons'> } | undefined> {
  const key = await db
    .selectFrom('keys')
    .selectAll()
    .where('key_id', '=', keyId)
    .executeTakeFirst();
  if (key === undefined) return undefined;
  const person = await db
    .selectFrom('persons')
    .selectAll()
    .where('person_id', '=', key.person_id)
    .executeTakeFirstOrThrow();
  return { key, person };
}

/** Registers an agent with the person who answers for it; false when the id is taken. */
export async function addAgent(
  tx: Executor,
  agent: { readonly agentId: string; readonly owner: string },
): Promise<boolean> {
  const written = await tx
    .insertInto('agents')
    .values({ agent_id: agent.agentId, owner_person: agent.owner, created_at: now })
    .onConflict((conflict) => conflict.column('agent_id').doNothing())
    .executeTakeFirst();
  if ((written.numInsertedOrUpdatedRows ?? 0n) === 0n) return false;
  await appendLog(tx, { kind: 'agent', payload: { ...agent, active: true } });
  return true;
}

/** Switches an agent off or on; false when it is unknown. */
export async function setAgentActive(
  tx: Executor,
  agentId: string,
  active: boolean,
): Promise<boolean> {
  const changed = await tx
    .updateTable('agents')
    .set({ active })
    .where('agent_id', '=', agentId)
    .executeTakeFirst();
  if (changed.numUpdatedRows === 0n) return false;
  await appendLog(tx, { kind: 'agent', payload: { agentId, active } });
  return true;
}

export async function listAgents(db: Executor): Promise<Row<'agents'>[]> {
  return db.selectFrom('agents').selectAll().orderBy('created_at').execute();
}

/** Registers a principal; the log holds the id alone, so that the address can be erased. */
export async function addPrincipal(
  tx: Executor,
  principal: {
    readonly principalId: string;
    readonly name: string;
    readonly email: string;
    /** The registered person that they are, where they are one. */
    readonly person?: string;
  },
): Promise<void> {
  await tx
    .insertInto('principals')
    .values({
      principal_id: principal.principalId,
      name: principal.name,
      email: principal.email.toLowerCase(),
      person_id: principal.person ?? null,
      created_at: now,
    })
    .execute();
  await appendLog(tx, { kind: 'principal', payload: { principalId: principal.principalId } });
}

export async function listPrincipals(db: Executor): Promise<Row<'principals'>[]> {
  return db.selectFrom('principals').selectAll().orderBy('created_at').execute();
}

export interface NewServiceKey {
  readonly keyId: string;
  readonly service: string;
  readonly publicKey: string;
  /** Allow-lists: empty allows nothing, `*` any. */
  readonly agents: readonly string[];
  readonly principals: readonly string[];
  readonly environments: readonly string[];
}

/** Registers a service key, or leaves the one of this id as it is; whether it was written. */
export async function addServiceKey(tx: Executor, key: NewServiceKey): Promise<boolean> {
  mustBeSound(key.publicKey);
  const written = await tx
    .insertInto('service_keys')
    .values({
      key_id: key.keyId,
      service_id: key.service,
      public_key: key.publicKey,
      agents: [...key.agents],
      principals: [...key.principals],
      environments: [...key.environments],
      created_at: now,
      revoked_at: null,
    })
    .onConflict((conflict) => conflict.column('key_id').doNothing())
    .executeTakeFirst();
  if ((written.numInsertedOrUpdatedRows ?? 0n) === 0n) return false;
  await appendLog(tx, {
    kind: 'service-key',
    payload: { keyId: key.keyId, service: key.service },
  });
  return true;
}

/** All service keys, oldest first. */
export async function listServiceKeys(db: Executor): Promise<Row<'service_keys'>[]> {
  return db.selectFrom('service_keys').selectAll().orderBy('created_at').execute();
}

/** Revokes a service key from now on: it admits nothing more. False when it is unknown or revoked already. */
export async function revokeServiceKey(
  tx: Executor,
  of: { readonly keyId: string; readonly reason: string },
): Promise<boolean> {
  const changed = await tx
    .updateTable('service_keys')
    .set({ revoked_at: now })
    .where('key_id', '=', of.keyId)
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  if (changed.numUpdatedRows === 0n) return false;
  await addNotice(tx, {
    kind: 'service-key-revoked',
    dedupe: `service-key-revoked:${of.keyId}`,
    payload: of,
  });
  await appendLog(tx, { kind: 'service-key-revoked', payload: of });
  return true;
}
