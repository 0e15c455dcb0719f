import { digestOfBytes, utf8 } from '../domain/canonical.js';
import { Failure } from '../domain/errors.js';
import { isDigest } from '../domain/ids.js';
import type { Digest } from '../domain/ids.js';
import { parsePolicy } from '../domain/policy/schema.js';
import type { Policy } from '../domain/policy/schema.js';
import type { Executor } from '../store/connect.js';
import type { Row } from '../store/schema.js';

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
  if (row === undefined)
    throw new Failure(
      'POLICY_MISSING',
      'no policy is in force, so everything is denied: activate one (countersign up does)',
    );
  return policyOfRow(row);
}

/** The policy of a version. @throws POLICY_MISSING when its row is not a valid policy: it then denies everything */
export function policyOfRow(
  row: Pick<Row<'policies'>, 'version' | 'digest' | 'document'>,
): PolicyInForce {
  const { version, digest } = row;
  // guard: a row whose text is not what its digest names was written by something else than an activation.
  if (!isDigest(digest) || digestOfBytes(utf8(row.document)) !== digest)
    throw new Failure(
      'POLICY_MISSING',
      `policy version ${version} is not the document that its digest names, so everything is denied`,
    );
  let document: unknown;
  try {
    document = JSON.parse(row.document);
  } catch {
    throw new Failure('POLICY_MISSING', `policy version ${version} is not valid JSON`);
  }
  return { version, digest, policy: parsePolicy(document) };
}
