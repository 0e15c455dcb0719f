import type { GateId } from '../domain/ids.js';
import type { Database } from '../store/connect.js';
import { closeGate } from '../store/gate-rows.js';

/** Ends an open or granted gate for good; the next revision shows what has changed. */
export async function voidGate(db: Database, gateId: GateId, why: string): Promise<void> {
  await db.transaction().execute((tx) =>
    closeGate(tx, {
      gateId,
      from: ['open', 'granted'],
      to: 'void',
      reason: why,
      by: 'gateway',
    }),
  );
}
