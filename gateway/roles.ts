import type { Roles } from '../domain/build-gate.js';
import type { KeyRecord, PersonRecord, Register } from '../domain/register.js';
import { registerOf } from '../domain/register.js';
import type { Executor } from '../store/connect.js';
import { peopleOfRun } from '../store/identity.js';
import type { RunPeople } from '../store/identity.js';
import type { Row } from '../store/schema.js';

/**
 * Who has to do with a run now. Whoever has answered for an agent of its chain at any time since the admission stays
 * among its owners.
 */
export async function rolesOf(db: Executor, row: Row<'runs'>): Promise<Roles> {
  return rolesAmong(await peopleOfRun(db, row.run_id), row);
}

/** The same, of people who have been read. */
export const rolesAmong = (people: RunPeople, row: Row<'runs'>): Roles => ({
  ...(people.principal_person === null ? {} : { principalPerson: people.principal_person }),
  requester: row.requester,
  agent: row.agent,
  owner: people.owner ?? row.owner_person,
  principal: row.principal,
  formerOwners: [...new Set([row.owner_person, ...people.owners])],
  ...(people.via.length === 0 ? {} : { via: people.via }),
});

/** The register as it stands now for these persons and keys. */
export async function readRegister(
  db: Executor,
  of: { readonly persons: readonly string[]; readonly keys: readonly string[] },
): Promise<Register> {
  const persons =
    of.persons.length === 0
      ? []
      : await db
          .selectFrom('persons')
          .selectAll()
          .where('person_id', 'in', [...of.persons])
          .execute();
  const keys =
    of.keys.length === 0
      ? []
      : await db
          .selectFrom('keys')
          .selectAll()
          .where('key_id', 'in', [...of.keys])
          .execute();
  return registerIn({ persons, keys });
}

/** The same, of rows that have been read. */
export const registerIn = (of: {
  readonly persons: readonly Row<'persons'>[];
  readonly keys: readonly Row<'keys'>[];
}): Register => registerOf(of.persons.map(personOf), of.keys.map(keyOf));

const personOf = (row: Row<'persons'>): PersonRecord => ({
  person: row.person_id,
  active: row.active,
  kind: row.kind,
  groups: row.groups,
});

const keyOf = (row: Row<'keys'>): KeyRecord => ({
  keyId: row.key_id,
  person: row.person_id,
  algorithm: row.algorithm,
  publicKey: row.public_key,
  activeFromMs: row.active_from.getTime(),
  revoked: row.revoked_at !== null,
  ...(row.revoked_as === 'retired' && row.revoked_at !== null
    ? { retiredAtMs: row.revoked_at.getTime() }
    : {}),
  ...(row.credential_id === null || row.rp_id === null || row.handle === null
    ? {}
    : {
        passkey: {
          credentialId: row.credential_id,
          rpId: row.rp_id,
          handle: row.handle,
          counter: row.counter,
          backupEligible: row.backup_eligible === true,
        },
      }),
});
