import { sql } from 'kysely';
import type { Executor } from './connect.js';

export interface AcceptedTerms {
  readonly principal: string;
  readonly provider: string;
  readonly url: string;
  readonly version: string;
  readonly digest: string;
  readonly gateId: string;
  /** Person ids of those whose signatures granted the gate. */
  readonly acceptedBy: readonly string[];
}

/** Digests of the terms of service that were accepted on this principal's behalf. */
export async function acceptedTerms(db: Executor, principal: string): Promise<string[]> {
  const rows = await db
    .selectFrom('terms_acceptances')
    .select('digest')
    .where('principal_id', '=', principal)
    .execute();
  return rows.map(({ digest }) => digest);
}

/** Records an acceptance; the first of a version stands. */
export async function acceptTerms(tx: Executor, terms: AcceptedTerms): Promise<void> {
  await tx
    .insertInto('terms_acceptances')
    .values({
      principal_id: terms.principal,
      provider: terms.provider,
      url: terms.url,
      version: terms.version,
      digest: terms.digest,
      gate_id: terms.gateId,
      accepted_by: [...terms.acceptedBy],
      accepted_at: sql<Date>`countersign_now()`,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}
