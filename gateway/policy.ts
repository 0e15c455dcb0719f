import { Failure } from '../domain/errors.js';
import { isDigest } from '../domain/ids.js';
import type { Digest } from '../domain/ids.js';
import { parsePolicy } from '../domain/policy/schema.js';
import type { Policy } from '../domain/policy/schema.js';
import type { Executor } from '../store/connect.js';

export interface PolicyInForce {
  readonly version: number;
  readonly digest: Digest;
  readonly policy: Policy;
}

/** The policy in force: the newest row, parsed anew. @throws POLICY_MISSING when there is none, or it is not valid */
export async function policyInForce(db: Executor): Promise<PolicyInForce> {
  const row = await db
    .selectFrom('policies')
    .select(['version', 'digest', 'document'])
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (row === undefined || !isDigest(row.digest))
    throw new Failure(
      'POLICY_MISSING',
      'no policy is in force, so everything is denied: activate one (countersign up does)',
    );
  let document: unknown;
  try {
    document = JSON.parse(row.document);
  } catch {
    throw new Failure('POLICY_MISSING', `policy version ${row.version} is not valid JSON`);
  }
  return { version: row.version, digest: row.digest, policy: parsePolicy(document) };
}
