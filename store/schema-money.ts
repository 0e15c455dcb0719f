import type { Generated, GeneratedAlways } from 'kysely';

export interface ReservationsTable {
  run_id: string;
  step: string;
  month: string;
  currency: string;
  scopes: string[];
  amount_minor: number;
  captured_minor: Generated<number>;
  refunded_minor: Generated<number>;
  state: 'reserved' | 'captured' | 'released';
}

export interface BalancesTable {
  scope: string;
  month: string;
  currency: string;
  reserved_minor: Generated<number>;
  captured_minor: Generated<number>;
  /** Renewals of what runs already, due in this month. */
  standing_minor: Generated<number>;
  /** The cap by which the scope was judged last. */
  cap_minor: number | null;
}

export interface CommitmentsTable {
  effect_id: string;
  scopes: string[];
  currency: string;
  amount_minor: number;
  renews: 'month' | 'year';
  since_month: string;
  ended_month: string | null;
}

export interface PostingsTable {
  id: GeneratedAlways<number>;
  run_id: string;
  step: string;
  kind:
    | 'reserve'
    | 'move'
    | 'release'
    | 'capture'
    | 'overshoot'
    | 'refund'
    | 'renewal'
    | 'dispute'
    | 'dispute-fee'
    | 'refund-failed';
  month: string;
  currency: string;
  amount_minor: number;
  scopes: string[];
  posted_at: Date;
}

/** A run's share of what is counted by day and month: domains, accounts, spending without a person. */
export interface AllowancesTable {
  run_id: string;
  step: string;
  scope: string;
  amount: number;
  held_at: Date;
  released: Generated<boolean>;
}

/** What a provider charged again for something that runs, once for each object (an invoice). */
export interface RenewalsTable {
  object: string;
  effect_id: string;
  month: string;
  currency: string;
  amount_minor: number;
  due_minor: number;
  paid_at: Date;
  recorded_at: Date;
}
