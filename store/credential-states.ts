import { sql } from 'kysely';
import type { Executor } from './connect.js';
import type { Row } from './schema.js';

export type CredentialState = Row<'credential_states'>;

/** What a process says of its credentials now; what nobody has said for a day goes. */
export async function noteCredentials(
  db: Executor,
  process: string,
  states: readonly {
    readonly name: string;
    readonly fingerprint: string;
    readonly since: Date;
    readonly problem: string | undefined;
  }[],
): Promise<void> {
  if (states.length === 0) return;
  await db
    .insertInto('credential_states')
    .values(
      states.map(({ name, fingerprint, since, problem }) => ({
        process,
        name,
        fingerprint,
        since,
        checked_at: sql<Date>`countersign_now()`,
        problem: problem ?? null,
      })),
    )
    .onConflict((conflict) =>
      conflict.columns(['process', 'name']).doUpdateSet((eb) => ({
        fingerprint: eb.ref('excluded.fingerprint'),
        since: eb.ref('excluded.since'),
        checked_at: eb.ref('excluded.checked_at'),
        problem: eb.ref('excluded.problem'),
      })),
    )
    .execute();
  await db
    .deleteFrom('credential_states')
    .where('checked_at', '<', sql<Date>`countersign_now() - interval '1 day'`)
    .execute();
}

/** What processes have said within the last two minutes. */
export async function credentialStates(db: Executor): Promise<readonly CredentialState[]> {
  return db
    .selectFrom('credential_states')
    .selectAll()
    .where('checked_at', '>', sql<Date>`countersign_now() - interval '2 minutes'`)
    .orderBy('process')
    .orderBy('name')
    .execute();
}
