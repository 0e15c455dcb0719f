/** What each process says of the credentials it holds: since when, and why a newer one is not used. No values. */
export const credentialStates = `
create table credential_states (
  process text not null,
  name text not null,
  fingerprint text not null check (fingerprint ~ '^[0-9a-f]{12}$'),
  since timestamptz not null,
  checked_at timestamptz not null,
  problem text,
  primary key (process, name)
);
`;
