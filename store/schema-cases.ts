import type { Generated, GeneratedAlways } from 'kysely';

/** Something that a person has to look at. What was found never changes; it closes once. */
export interface CasesTable {
  case_id: GeneratedAlways<number>;
  run_id: string | null;
  effect_id: string | null;
  /** A row of domain/cases.ts. */
  kind: string;
  severity: Generated<'urgent' | 'warning' | 'info'>;
  text: string;
  /** What to do, where it is more exact than what its kind says. */
  proposal: string | null;
  /** The finding of `reconcile` that opened it. */
  finding: string | null;
  /** Whom it is about: this person may not close it. */
  person_id: string | null;
  opened_at: Date;
  closed_at: Date | null;
  closed_by: string | null;
  closed_as: 'by-person' | 'seen-resolved' | null;
  close_reason: string | null;
  close_statement: string | null;
  close_digest: string | null;
}
