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

export interface NewPolicy {
  readonly digest: string;
  /** Canonical form. */
  readonly document: string;
  /** Register ids of those who signed, or `built-in`. */
  readonly activatedBy: string;
  /** The signed statements as received. */
  readonly statements?: readonly unknown[];
  readonly reason?: string;
}

/** Puts a policy in force as the next version; the same digest again changes nothing. Answers the version. */
export async function activatePolicy(db: Database, policy: NewPolicy): Promise<number> {
  return db.transaction().execute(async (tx) => {
    await lockFence(tx);
    const former = await currentPolicy(tx);
    if (former?.digest === policy.digest) return former.version;
    return insertPolicy(tx, policy, (former?.version ?? 0) + 1);
  });
}

/** Writes the row of a version and its log entry. The caller holds the fence's lock and has checked who asks. */
export async function insertPolicy(
  tx: Executor,
  policy: NewPolicy,
  version: number,
): Promise<number> {
  await tx
    .insertInto('policies')
    .values({
      version,
      digest: policy.digest,
      document: policy.document,
      activated_by: policy.activatedBy,
      activated_at: sql<Date>`countersign_now()`,
      statements: JSON.stringify(policy.statements ?? []),
      reason: policy.reason ?? '',
    })
    .execute();
  await appendLog(tx, {
    kind: 'policy',
    payload: {
      version,
      digest: policy.digest,
      by: policy.activatedBy,
      reason: policy.reason ?? '',
    },
  });
  return version;
}

/** One version. */
export async function policyVersion(
  db: Executor,
  version: number,
): Promise<Row<'policies'> | undefined> {
  return db.selectFrom('policies').selectAll().where('version', '=', version).executeTakeFirst();
}

/** All versions, newest first. */
export async function listPolicies(db: Executor): Promise<Row<'policies'>[]> {
  return db.selectFrom('policies').selectAll().orderBy('version', 'desc').execute();
}

/** The version that was in force at a moment; 0: none was. */
export async function policyVersionAt(db: Executor, at: Date): Promise<number> {
  const { version } = await db
    .selectFrom('policies')
    .select(({ fn }) => fn.max<number | null>('version').as('version'))
    .where('activated_at', '<=', at)
    .executeTakeFirstOrThrow();
  return version ?? 0;
}
