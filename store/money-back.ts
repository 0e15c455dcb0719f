import { sql } from 'kysely';
import type { EffectId } from '../domain/ids.js';
import type { Executor } from './connect.js';

/** A dispute as it stands at the provider. Amounts in minor units. */
export interface DisputeOnRecord {
  readonly disputeId: string;
  readonly effectId: EffectId;
  readonly charge: string;
  readonly status: string;
  /** Held back by now; 0 again once it was won. */
  readonly withheldMinor: number;
  readonly feeMinor: number;
}

/** Books what differs from the last time it was read; whether anything did. */
export const disputeRead = (db: Executor, dispute: DisputeOnRecord): Promise<boolean> =>
  booked(db, sql`select dispute_read(${JSON.stringify(dispute)}::jsonb) as news`);

/** Books that a refund failed after it was booked as given back; whether that was new. Minor units. */
export const refundFailed = (
  db: Executor,
  refund: { readonly refundId: string; readonly effectId: EffectId; readonly amountMinor: number },
): Promise<boolean> =>
  booked(db, sql`select refund_failed(${JSON.stringify(refund)}::jsonb) as news`);

/** Puts a finding on record by its name, as `reconcile` does: it opens one case, which closes when it is seen no more. */
export const findingAtStripe = (
  db: Executor,
  finding: {
    readonly name: string;
    readonly kind: string;
    readonly object: string;
    readonly runId: string;
    readonly effectId: EffectId;
    readonly text: string;
  },
): Promise<boolean> =>
  booked(
    db,
    sql`select finding_seen(${JSON.stringify({ ...finding, area: 'stripe' })}::jsonb) as news`,
  );

async function booked(db: Executor, call: ReturnType<typeof sql>): Promise<boolean> {
  const { rows } = await call.execute(db);
  return (rows as { news: boolean }[])[0]?.news === true;
}
