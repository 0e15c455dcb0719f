/** A dispute as it was read last. Amounts in minor units. */
export interface DisputesTable {
  dispute_id: string;
  effect_id: string;
  charge: string;
  status: string;
  /** What its movements on the balance hold back. */
  withheld_minor: number;
  fee_minor: number;
  first_read_at: Date;
  last_changed_at: Date;
}

/** A refund that failed after it was booked as given back, once. */
export interface FailedRefundsTable {
  refund_id: string;
  effect_id: string;
  amount_minor: number;
  recorded_at: Date;
}
