import { digestOfBytes, utf8 } from '../domain/canonical.js';
import { Failure } from '../domain/errors.js';
import { isDigest } from '../domain/ids.js';
import type { Digest } from '../domain/ids.js';
import { memoOfText } from '../domain/memo.js';
import { parsePolicy } from '../domain/policy/schema.js';
import type { Policy } from '../domain/policy/schema.js';
import type { Row } from '../store/schema.js';

export interface PolicyInForce {
  readonly version: number;
  readonly digest: Digest;
  readonly policy: Policy;
}

// Both are read from the row each time, and looked up by the whole text.
const digestOfText = memoOfText(8, (document) => digestOfBytes(utf8(document)));
const policyOfText = memoOfText(8, (document) => parsePolicy(JSON.parse(document)));

/**
 * The policy of a version, by its text alone: who put it there is `believedPolicy`'s.
 * @throws POLICY_MISSING when its row is not a valid policy: it then denies everything
 */
export function policyOfRow(
  row: Pick<Row<'policies'>, 'version' | 'digest' | 'document'> | undefined,
): PolicyInForce {
  if (row === undefined)
    throw new Failure(
      'POLICY_MISSING',
      'no policy is in force, so everything is denied: activate one (countersign up does)',
    );
  const { version, digest } = row;
  // guard: a row whose text is not what its digest names was written by something else than an activation.
  if (!isDigest(digest) || digestOfText(row.document) !== digest)
    throw new Failure(
      'POLICY_MISSING',
      `policy version ${version} is not the document that its digest names, so everything is denied`,
    );
  try {
    return { version, digest, policy: policyOfText(row.document) };
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new Failure('POLICY_MISSING', `policy version ${version} is not valid JSON`);
    throw error;
  }
}

/** The same; undefined when the row is no valid policy. */
export function readablePolicy(row: Row<'policies'>): Policy | undefined {
  try {
    return policyOfRow(row).policy;
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}
