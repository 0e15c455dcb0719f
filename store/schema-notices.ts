import type { ColumnType, Generated, GeneratedAlways } from 'kysely';

/** What people are to be told: one row for each thing, append-only. */
export interface NoticesTable {
  notice_id: GeneratedAlways<number>;
  /** Names the thing told, for ever: a second row of the same name is not written. */
  dedupe: string;
  kind: string;
  run_id: string | null;
  /** Ids, amounts in minor units, instants; never a secret, an address or an agent's words. */
  payload: ColumnType<Readonly<Record<string, unknown>>, string, never>;
  made_at: Generated<Date>;
}

/** Notices whose targets have not been looked up yet. */
export interface NoticeQueueTable {
  notice_id: number;
}

/** A notice on its way to one target of the policy. */
export interface DeliveriesTable {
  delivery_id: GeneratedAlways<number>;
  notice_id: number;
  target: string;
  run_id: string | null;
  /** `failed`: given up after many attempts; `dropped`: the policy names the target no more. */
  status: Generated<'due' | 'sent' | 'failed' | 'dropped'>;
  attempts: Generated<number>;
  next_at: Date;
  sent_at: Date | null;
  /** What the last attempt met, in our words: `HTTP 500`, `no answer`. */
  answer: string | null;
}

/** Gates that one person passed alone; the statement lies among the decisions. */
export interface BreakGlassesTable {
  gate_id: string;
  run_id: string;
  digest: string;
  person_id: string;
  expires_at: Date;
  recorded_at: Generated<Date>;
}
