import { sql } from 'kysely';
import type { Database } from './connect.js';

export interface Binding {
  /** The namespace on record. */
  readonly namespace: string;
  /** Another cluster or namespace is on record than the one that was offered. */
  readonly foreign: boolean;
  /** The database server's own clock, without what tests have advanced. */
  readonly now: Date;
}

/** Stores namespace and cluster id at the first start and compares them ever after. */
export async function bindTemporal(
  db: Database,
  offered: { readonly namespace: string; readonly cluster: string },
): Promise<Binding> {
  await db
    .updateTable('instance')
    .set({ temporal_namespace: offered.namespace, temporal_cluster: offered.cluster })
    .where('temporal_cluster', 'is', null)
    .execute();
  const row = await db
    .selectFrom('instance')
    .select(['temporal_namespace', 'temporal_cluster', sql<Date>`clock_timestamp()`.as('now')])
    .executeTakeFirstOrThrow();
  return {
    namespace: row.temporal_namespace ?? '',
    foreign:
      row.temporal_namespace !== offered.namespace || row.temporal_cluster !== offered.cluster,
    now: row.now,
  };
}
