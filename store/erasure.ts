import { sql } from 'kysely';
import type { Executor } from './connect.js';
import { appendLog } from './log.js';

export type Erasure =
  | { readonly kind: 'erased' | 'unknown' }
  /** Runs that still act on their behalf and have to know whom to tell the providers of. */
  | { readonly kind: 'in-use'; readonly runIds: readonly string[] };

/**
 * Erases a principal's name and address, and the salt of the digests that plans hold of them: no table says who it
 * was. What was planned, approved and paid stays proven, by register id.
 */
export async function erasePrincipal(tx: Executor, principalId: string): Promise<Erasure> {
  const row = await tx
    .selectFrom('principals')
    .select('principal_id')
    .where('principal_id', '=', principalId)
    .where('erased_at', 'is', null)
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) return { kind: 'unknown' };
  const open = await tx
    .selectFrom('runs')
    .select('run_id')
    .where('principal', '=', principalId)
    .where('end_phase', 'is', null)
    .where('door', '<>', 'completed')
    .orderBy('run_id')
    .execute();
  // guard: a run that has to be taken back must still find what it made.
  if (open.length > 0) return { kind: 'in-use', runIds: open.map(({ run_id }) => run_id) };
  await tx
    .updateTable('principals')
    .set({ email: null, name: '', salt: null, erased_at: sql<Date>`countersign_now()` })
    .where('principal_id', '=', principalId)
    .execute();
  await appendLog(tx, { kind: 'principal-erased', payload: { principalId } });
  return { kind: 'erased' };
}
