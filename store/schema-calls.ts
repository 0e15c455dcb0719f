import type { Generated } from 'kysely';

export interface CallLimitsTable {
  provider: 'stripe' | 'cloudflare';
  per_second: number;
  at_once: number;
  breaks_after: number;
  cool_down_ms: number;
}

export interface CallBucketsTable {
  provider: 'stripe' | 'cloudflare';
  /** Empty: the account's own. */
  agent: string;
  left_over: number;
  filled_at: Date;
}

export interface BreakersTable {
  provider: 'stripe' | 'cloudflare';
  failures: Generated<number>;
  last_failure_at: Date | null;
  opened_at: Date | null;
  trips: Generated<number>;
  probe_at: Date | null;
  /** A trial is under way. */
  probing: Generated<boolean>;
}
