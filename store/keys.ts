import { sql } from 'kysely';
import type { Executor } from './connect.js';

/** Advances a passkey's counter; false when it would not follow the stored one. Two zeros follow each other. */
export async function advanceCounter(
  tx: Executor,
  of: { readonly keyId: string; readonly counter: number; readonly backedUp: boolean },
): Promise<boolean> {
  const changed = await tx
    .updateTable('keys')
    .set({ counter: of.counter, backed_up: of.backedUp })
    .where('key_id', '=', of.keyId)
    .where(sql<boolean>`(counter < ${of.counter} or (counter = 0 and ${of.counter}::bigint = 0))`)
    .executeTakeFirst();
  return changed.numUpdatedRows === 1n;
}
