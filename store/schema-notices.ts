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
