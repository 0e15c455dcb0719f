import type { ColumnType } from 'kysely';

/** Tokens minted at a provider for one run. `due`: to be revoked; found by its name where its id is not known. */
export interface ProviderTokensTable {
  token_id: string;
  run_id: string;
  class: 'actions' | 'compensations';
  purpose: string;
  account: string;
  /** Empty where the token is for the account. */
  zone: string;
  name: string;
  /** The effect that it was minted for; others of the same purpose may use it after. */
  effect_id: string;
  sender: string;
  state: 'minting' | 'live' | 'due' | 'revoked';
  provider_token: string | null;
  key_id: string | null;
  nonce: Buffer | null;
  /** AES-256-GCM with its tag at the end; null before the mint's answer and after the revocation. */
  ciphertext: Buffer | null;
  created_at: Date;
  send_by: Date;
  settling_ms: number;
  expires_at: Date;
  minted_at: Date | null;
  due_why: string | null;
  revoked_at: Date | null;
}

/** How a process stands to a credential that may be rotated under it. Fingerprints, never values. */
export interface CredentialStatesTable {
  process: string;
  name: string;
  /** First 12 hex digits of the value's SHA-256. */
  fingerprint: string;
  since: ColumnType<Date, Date | string, Date | string>;
  checked_at: ColumnType<Date, Date | string, Date | string>;
  /** Why a newer value is not used; null where there is none. */
  problem: string | null;
}
