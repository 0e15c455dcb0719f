import type { Roles } from '../domain/build-gate.js';
import type { KeyRecord, PersonRecord, Register } from '../domain/register.js';
import { registerOf } from '../domain/register.js';
import type { Executor } from '../store/connect.js';
import type { Row } from '../store/schema.js';

/** Who has to do with a run now. Whoever answered for the agent at admission stays among its owners. */
export async function rolesOf(db: Executor, row: Row<'runs'>): Promise<Roles> {
  const agent = await db
    .selectFrom('agents')
    .select('owner_person')
    .where('agent_id', '=', row.agent)
    .executeTakeFirst();
  const principal = await db
    .selectFrom('principals')
    .select('person_id')
    .where('principal_id', '=', row.principal)
    .executeTakeFirst();
  return {
    ...(principal?.person_id == null ? {} : { principalPerson: principal.person_id }),
    requester: row.requester,
    agent: row.agent,
    owner: agent?.owner_person ?? row.owner_person,
    principal: row.principal,
    formerOwners: [row.owner_person],
  };
}

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
  publicKey: row.public_key,
  activeFromMs: row.active_from.getTime(),
  revoked: row.revoked_at !== null,
});
