/**
 * Tokens that the gateway mints at a provider for one run: what for, how long, and where each stands. The value is
 * ciphertext, bound to its row; it goes when the token is revoked, and the row stays.
 */
export const providerTokens = `
create table provider_tokens (
  token_id text primary key,
  run_id text not null references runs,
  class text not null check (class in ('actions', 'compensations')),
  purpose text not null check (purpose ~ '^[a-z][a-z-]{1,19}$'),
  account text not null,
  zone text not null default '',
  name text not null unique,
  effect_id text not null,
  sender text not null,
  state text not null check (state in ('minting', 'live', 'due', 'revoked')),
  provider_token text,
  key_id text,
  nonce bytea,
  ciphertext bytea,
  created_at timestamptz not null,
  send_by timestamptz not null,
  settling_ms bigint not null,
  expires_at timestamptz not null,
  minted_at timestamptz,
  due_why text,
  revoked_at timestamptz,
  check (state <> 'live' or (provider_token is not null and ciphertext is not null)),
  check (state <> 'revoked' or ciphertext is null)
);
create index provider_tokens_of on provider_tokens (run_id);
create index provider_tokens_standing on provider_tokens (state, expires_at)
  where state <> 'revoked';
`;
