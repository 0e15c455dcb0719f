import { sql } from 'kysely';
import type { Executor } from './connect.js';

/** The last stop over a scope, lifted, with the word that lifted it. */
export interface Lift {
  readonly stopId: number;
  readonly scope: string;
  readonly mode: 'unwind' | 'hold';
  readonly fencedAt: Date;
  readonly liftedAt: Date;
  /** Digest of the statement. */
  readonly statement: string | null;
  /** The resume message in canonical form; null: somebody lifted it without one. */
  readonly message: string | null;
  /** Version of the policy that was in force when it was lifted. */
  readonly policyVersion: number | null;
  readonly lostKeys: number;
}

/** Lifted stops that would cover an effect of this run at this provider, the last one over each scope. */
export async function readLifts(
  db: Executor,
  of: { readonly runId: string; readonly provider: string },
): Promise<readonly Lift[]> {
  const { rows } = await sql<Lift>`
    select stop_id as "stopId", scope, mode, fenced_at as "fencedAt", lifted_at as "liftedAt",
           statement, message, policy_version as "policyVersion", lost_keys as "lostKeys"
      from stop_lifts(${of.runId}, ${of.provider})`.execute(db);
  return rows;
}
