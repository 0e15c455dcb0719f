import type { ColumnType, Generated, GeneratedAlways } from 'kysely';

/** A difference between what a provider holds and what is on record, by its name. */
export interface FindingsTable {
  name: string;
  kind: string;
  area: string;
  object: string;
  case_id: number | null;
  first_seen_at: Date;
  last_seen_at: Date;
  /** Seen no more; seen again later, it opens a case again. */
  gone_at: Date | null;
}

/** Something at a provider that bears no marker of ours and that no effect made. */
export interface Unmanaged {
  readonly kind: string;
  readonly object: string;
}

/** A part of a provider that is read as one: `stripe`, `cloudflare/<account>`. */
export interface ReconcileAreasTable {
  area: string;
  tried_at: Date;
  /** When it was last read whole. */
  read_at: Date | null;
  why: string | null;
  unmanaged: ColumnType<readonly Unmanaged[], string | undefined, string>;
}

export interface ReconcilePassesTable {
  pass_id: GeneratedAlways<number>;
  begun_at: Date;
  ended_at: Date | null;
  outcome: Generated<string>;
}
