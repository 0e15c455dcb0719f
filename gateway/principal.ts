import type { ActionDocument } from '../domain/documents.js';
import { Failure } from '../domain/errors.js';
import type { PrincipalRecord, PrincipalReference } from '../domain/principal.js';
import { principalValue } from '../domain/principal.js';
import { readPrincipal } from '../store/admissions.js';
import type { Executor } from '../store/connect.js';

/** The principal as registered. @throws NEEDS_INPUT when there is none, or their address was erased */
export async function principalOf(db: Executor, principalId: string): Promise<PrincipalRecord> {
  const row = await readPrincipal(db, principalId);
  if (row?.email == null || row.salt === null)
    throw new Failure(
      'NEEDS_INPUT',
      `the principal ${principalId} has no e-mail address on record, or it was erased`,
    );
  return { principalId: row.principal_id, email: row.email, name: row.name, salt: row.salt };
}

/**
 * What a reference to the run's principal stands for, read at the time of use.
 * @throws NEEDS_INPUT when it was erased, GRANT_VOID when it is another than was approved
 */
export async function principalValueOf(
  db: Executor,
  { step, runId }: Pick<ActionDocument, 'step' | 'runId'>,
  of: { readonly reference: PrincipalReference; readonly principal: string },
): Promise<string> {
  // guard: only the run's own principal, and only as approved.
  const value = principalValue(of.reference, await principalOf(db, of.principal));
  if (value === undefined)
    throw new Failure(
      'GRANT_VOID',
      `${runId}: the ${of.reference.field} of ${of.principal} is another than was approved`,
      { step },
    );
  return value;
}
