import type { Generated } from 'kysely';

/** How a subscription stands that a stop wants paused, or wanted. */
export interface SubscriptionPausesTable {
  /** The forward effect that made it. */
  effect_id: string;
  /** As last read at the provider. */
  state: Generated<'running' | 'paused' | 'ended'>;
  /** Paused before we came: not ours to resume. */
  of_others: Generated<boolean>;
  attempt: Generated<number>;
  /** What the last attempt asks for; it may be on the wire until it has settled, or `send_by` and the settling time are over. */
  asks: 'running' | 'paused' | null;
  send_by: Date | null;
  settling_ms: number | null;
  settled: Generated<boolean>;
  changed_at: Date;
}
