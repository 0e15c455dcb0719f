import { sql } from 'kysely';
import type { Database, Executor } from './connect.js';
import { appendLog } from './log.js';
import type { Row } from './schema.js';

/** The policy in force: the highest version. Undefined denies everything. */
export async function currentPolicy(db: Executor): Promise<Row<'policies'> | undefined> {
  return db
    .selectFrom('policies')
    .selectAll()
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/**
 * Takes the fence's lock exclusively until the transaction ends: no authorize or claim commits in between under a
 * rule or key that is about to change. The first statement of its transaction.
 */
export async function lockFence(tx: Executor): Promise<void> {
  await sql`select pg_advisory_xact_lock(7001)`.execute(tx);
}

/** Puts a policy in force as the next version; the same digest again changes nothing. Answers the version. */
export async function activatePolicy(
  db: Database,
  policy: { readonly digest: string; readonly document: string; readonly activatedBy: string },
): Promise<number> {
  return db.transaction().execute(async (tx) => {
    await lockFence(tx);
    const former = await currentPolicy(tx);
    if (former?.digest === policy.digest) return former.version;
    const version = (former?.version ?? 0) + 1;
    await tx
      .insertInto('policies')
      .values({
        version,
        digest: policy.digest,
        document: policy.document,
        activated_by: policy.activatedBy,
        activated_at: sql<Date>`countersign_now()`,
      })
      .execute();
    await appendLog(tx, {
      kind: 'policy',
      payload: { version, digest: policy.digest, by: policy.activatedBy },
    });
    return version;
  });
}
