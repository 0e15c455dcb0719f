import { sql } from 'kysely';
import type { Executor } from './connect.js';
import { appendLog } from './log.js';
import { addNotice } from './notices.js';
import { lockFence } from './policies.js';
import type { Row } from './schema.js';

/** What persons let agents do on their behalf: each one signed by the person, for one agent, up to an instant. */

export interface NewDelegation {
  readonly delegationId: string;
  readonly person: string;
  readonly agent: string;
  /** Names of steps, or `*` alone. */
  readonly steps: readonly string[];
  /** Of one run's whole plan, in minor units. */
  readonly ceilingMinor: number;
  readonly currency: string;
  readonly until: Date;
  /** The signed statement as received. */
  readonly statement: string;
}

/** Records a delegation that its person has signed; false when the id is taken. */
export async function addDelegation(tx: Executor, of: NewDelegation): Promise<boolean> {
  const written = await tx
    .insertInto('delegations')
    .values({
      delegation_id: of.delegationId,
      person_id: of.person,
      agent_id: of.agent,
      steps: [...of.steps],
      ceiling_minor: of.ceilingMinor,
      currency: of.currency,
      until: of.until,
      statement: of.statement,
      given_at: sql<Date>`countersign_now()`,
      revoked_at: null,
      revoked_by: null,
    })
    .onConflict((conflict) => conflict.column('delegation_id').doNothing())
    .executeTakeFirst();
  if ((written.numInsertedOrUpdatedRows ?? 0n) === 0n) return false;
  const { agent, ceilingMinor, currency, delegationId, person, statement, steps } = of;
  const payload = {
    delegationId,
    person,
    agent,
    steps: steps.join(' '),
    ceilingMinor,
    currency,
    until: of.until.toISOString(),
  };
  await addNotice(tx, {
    kind: 'delegation-given',
    dedupe: `delegation-given:${delegationId}`,
    payload,
  });
  await appendLog(tx, { kind: 'delegation', payload: { ...payload, statement } });
  return true;
}

/**
 * Revokes a delegation from now on: no authorize or claim that leans on it commits after this. Needs no signature, for it
 * only takes away. False when it is unknown or revoked already. The first statement of its transaction.
 */
export async function revokeDelegation(
  tx: Executor,
  { by, delegationId }: { readonly delegationId: string; readonly by: string },
): Promise<boolean> {
  await lockFence(tx);
  const changed = await tx
    .updateTable('delegations')
    .set({ revoked_at: sql<Date>`countersign_now()`, revoked_by: by })
    .where('delegation_id', '=', delegationId)
    .where('revoked_at', 'is', null)
    .returning(['person_id', 'agent_id'])
    .executeTakeFirst();
  if (changed === undefined) return false;
  const payload = { delegationId, person: changed.person_id, agent: changed.agent_id, by };
  await addNotice(tx, {
    kind: 'delegation-revoked',
    dedupe: `delegation-revoked:${delegationId}`,
    payload,
  });
  await appendLog(tx, { kind: 'delegation-revoked', payload });
  return true;
}

/** All delegations, newest first. */
export async function listDelegations(db: Executor): Promise<Row<'delegations'>[]> {
  return db
    .selectFrom('delegations')
    .selectAll()
    .orderBy('given_at', 'desc')
    .orderBy('delegation_id')
    .execute();
}
