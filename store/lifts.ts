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
  /** The resume messages in canonical form, a line each; null: somebody lifted it without one. */
  readonly message: string | null;
  /** Version of the policy that was in force when it was lifted. */
  readonly policyVersion: number | null;
  readonly lostKeys: number;
}

/** A row of `stop_lifts` as JSON. */
export interface SeenLift {
  readonly stop_id: number;
  readonly scope: string;
  readonly mode: 'unwind' | 'hold';
  readonly fenced_at: string;
  readonly lifted_at: string;
  readonly statement: string | null;
  readonly message: string | null;
  readonly policy_version: number | null;
  readonly lost_keys: number;
}

export const liftOf = (seen: SeenLift): Lift => ({
  stopId: seen.stop_id,
  scope: seen.scope,
  mode: seen.mode,
  fencedAt: new Date(seen.fenced_at),
  liftedAt: new Date(seen.lifted_at),
  statement: seen.statement,
  message: seen.message,
  policyVersion: seen.policy_version,
  lostKeys: seen.lost_keys,
});

/** Lifted stops that would cover an effect of this run at this provider, the last one over each scope. */
export async function readLifts(
  db: Executor,
  of: { readonly runId: string; readonly provider: string },
): Promise<readonly Lift[]> {
  const { rows } = await sql<{ lift: SeenLift }>`
    select to_jsonb(l) as lift from stop_lifts(${of.runId}, ${of.provider}) l`.execute(db);
  return rows.map(({ lift }) => liftOf(lift));
}
