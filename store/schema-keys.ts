import type { ColumnType, Generated, GeneratedAlways } from 'kysely';
import type { GroupEvidence } from '../domain/group-evidence.js';
import type { KeyAlgorithm } from '../domain/public-key.js';

/** Approver keys, how each came about and how it ended, and the decisions that were signed with them. */

export interface KeysTable {
  key_id: string;
  person_id: string;
  algorithm: Generated<KeyAlgorithm>;
  /** base64url: raw for `ed25519`, SubjectPublicKeyInfo (DER) for a passkey. */
  public_key: string;
  label: Generated<string>;
  enrolled_at: Date;
  active_from: Date;
  revoked_at: Date | null;
  revoked_as: 'retired' | 'compromised' | null;
  compromised_since: Date | null;
  credential_id: Generated<string | null>;
  rp_id: Generated<string | null>;
  handle: Generated<string | null>;
  counter: Generated<number>;
  backup_eligible: Generated<boolean | null>;
  backed_up: Generated<boolean | null>;
  /** The enrolment that it came by; null where the register alone vouches for it, on one's own machine. */
  enrolment: Generated<string | null>;
}

/** What a new key signed of itself, waiting for its approvals or admitted by them. */
export interface KeyEnrolmentsTable {
  /** Digest of the statement. */
  enrolment: string;
  key_id: string;
  person_id: string;
  person_name: string;
  groups: string[];
  algorithm: KeyAlgorithm;
  public_key: string;
  credential_id: string | null;
  rp_id: string | null;
  handle: string | null;
  backup_eligible: boolean | null;
  /** The enrol message: statement and signature, in canonical form. */
  message: string;
  requested_at: Date;
}

export interface KeyApprovalsTable {
  digest: string;
  enrolment: string;
  person_id: string;
  key_id: string;
  message: string;
  recorded_at: Date;
}

/** The root keys that the installation was opened with, each time they changed. */
export interface RootPinsTable {
  pin_id: GeneratedAlways<number>;
  root_keys: string[];
  recovered: boolean;
  pinned_at: Generated<Date>;
}

/** Words towards lifting a stop that several persons have to lift. */
export interface LiftWordsTable {
  /** Digest of the statement. */
  statement: string;
  stop_id: number;
  person_id: string;
  message: string;
  recorded_at: Generated<Date>;
}

export interface KeyRevocationsTable {
  key_id: string;
  revoked_as: 'retired' | 'compromised';
  since: Date | null;
  by: string;
  reason: string;
  message: string | null;
  recorded_at: Date;
}

export interface DecisionsTable {
  /** SHA-256 of the received bytes. */
  digest: string;
  gate_id: string | null;
  run_id: string;
  person_id: string | null;
  key_id: string | null;
  decision: string | null;
  /** The message as received, in canonical form, signature included. */
  statement: string;
  signature: string | null;
  accepted: boolean;
  reason: string | null;
  road: 'signal' | 'update' | 'cli' | 'http';
  /** Of an unsigned reject: the session in which it was said. */
  session_id: Generated<string | null>;
  recorded_at: Date;
  /** SHA-256 of the statement without its signature. */
  statement_digest: Generated<string | null>;
  /** How many approves of this person at this gate came before. */
  round: Generated<number>;
  /** The groups that counted, each with its source and age. */
  evidence: ColumnType<readonly GroupEvidence[], string | undefined, never>;
  /** Of a passkey's assertion. */
  counter: Generated<number | null>;
  backup_eligible: Generated<boolean | null>;
  backed_up: Generated<boolean | null>;
}
