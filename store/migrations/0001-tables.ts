/**
 * The tables of the control database. Forward only: a later change is a later migration.
 * Written for PostgreSQL 15 and later. Times are the database's; amounts are minor units; text that is
 * signed or digested is kept as the exact canonical bytes, never as jsonb.
 */
const instance = `
create table instance (
  one boolean primary key default true check (one),
  id text not null check (id ~ '^[0-9a-f]{32}$'),
  mode text not null check (mode in ('embedded', 'production')),
  temporal_namespace text,
  temporal_cluster text,
  created_at timestamptz not null default clock_timestamp()
);
create table clock (
  one boolean primary key default true check (one),
  advance_ms bigint not null default 0 check (advance_ms >= 0)
);
insert into clock default values;
`;

const register = `
create table policies (
  version int primary key check (version >= 1),
  digest text not null,
  document text not null,
  activated_by text not null,
  activated_at timestamptz not null
);
create table persons (
  person_id text primary key,
  kind text not null default 'human' check (kind in ('human', 'service')),
  name text not null,
  groups text[] not null default '{}',
  active boolean not null default true,
  created_at timestamptz not null
);
create table keys (
  key_id text primary key,
  person_id text not null references persons,
  algorithm text not null default 'ed25519' check (algorithm = 'ed25519'),
  public_key text not null unique,
  label text not null default '',
  enrolled_at timestamptz not null,
  active_from timestamptz not null,
  revoked_at timestamptz,
  revoked_as text check (revoked_as in ('retired', 'compromised')),
  compromised_since timestamptz
);
create table agents (
  agent_id text primary key,
  owner_person text references persons,
  active boolean not null default true,
  created_at timestamptz not null
);
-- the only place of a principal's e-mail address: erasable without touching anything that is proven
create table principals (
  principal_id text primary key,
  name text not null,
  email text unique,
  created_at timestamptz not null
);
create table service_keys (
  key_id text primary key,
  service_id text not null,
  public_key text not null unique,
  agents text[] not null,
  principals text[] not null,
  environments text[] not null,
  created_at timestamptz not null,
  revoked_at timestamptz
);
`;

const runs = `
create table runs (
  run_id text primary key,
  request text not null,
  request_digest text not null,
  requester text not null,
  agent text not null,
  owner_person text not null,
  principal text not null,
  environment text not null check (environment in ('development', 'staging', 'production')),
  domain text not null,
  budget_minor bigint not null check (budget_minor >= 0),
  currency text not null,
  operations_max int not null default 100,
  operations int not null default 0,
  plan_revision int not null default 0,
  door text not null default 'open' check (door in ('open', 'closed', 'completed')),
  door_cause text,
  door_at timestamptz,
  end_phase text,
  end_why text,
  ended_at timestamptz,
  admitted_at timestamptz not null
);
create table principal_accounts (
  principal_id text not null,
  provider text not null,
  account text not null,
  run_id text not null references runs,
  linked_at timestamptz not null,
  primary key (principal_id, provider, account)
);
create table run_failures (
  id bigint generated always as identity primary key,
  run_id text not null references runs,
  step text not null,
  code text not null,
  message text not null,
  recorded_at timestamptz not null
);
create table resolutions (
  digest text primary key,
  run_id text not null references runs,
  step text not null,
  action text not null check (action in ('retry', 'done-by-hand', 'give-up')),
  person_id text not null,
  key_id text not null,
  statement text not null,
  signature text not null,
  accepted boolean not null,
  reason text not null,
  recorded_at timestamptz not null
);
create table temporal_ends (
  run_id text not null references runs,
  status text not null check (status in ('TERMINATED', 'FAILED', 'TIMED_OUT')),
  read_at timestamptz not null,
  primary key (run_id, status)
);
create table plans (
  run_id text not null references runs,
  revision int not null check (revision >= 1),
  plan text not null,
  digest text not null,
  quote text not null default '{}',
  policy_version int not null references policies,
  denials int not null default 0,
  created_at timestamptz not null,
  primary key (run_id, revision)
);
create table plan_steps (
  run_id text not null,
  revision int not null,
  step text not null,
  position int not null,
  kind text not null check (kind in ('act', 'adopt', 'skip', 'read')),
  tier text not null check (tier in ('autonomous', 'approve', 'sign-off')),
  digest text,
  provider text,
  cost_minor bigint not null default 0 check (cost_minor >= 0),
  renewal_minor bigint not null default 0 check (renewal_minor >= 0),
  renewal_interval text check (renewal_interval in ('month', 'year')),
  primary key (run_id, revision, step),
  unique (run_id, revision, position),
  foreign key (run_id, revision) references plans,
  check ((kind = 'act') = (digest is not null))
);
`;

const gates = `
create table gates (
  gate_id text primary key,
  run_id text not null references runs,
  gate text not null,
  revision int not null check (revision >= 1),
  plan_revision int not null,
  document text not null,
  digest text not null unique,
  card text not null,
  card_digest text not null,
  actions text[] not null check (cardinality(actions) >= 1),
  policy_version int not null references policies,
  state text not null default 'open'
    check (state in ('open', 'granted', 'rejected', 'expired', 'void')),
  reason text,
  closed_by text,
  opened_at timestamptz not null,
  expires_at timestamptz not null,
  closed_at timestamptz,
  unique (run_id, gate, revision)
);
create table decisions (
  digest text primary key,
  gate_id text references gates,
  run_id text not null,
  person_id text,
  key_id text,
  decision text,
  statement text not null,
  signature text,
  accepted boolean not null,
  reason text,
  road text not null check (road in ('signal', 'update', 'cli', 'http')),
  recorded_at timestamptz not null
);
create unique index decisions_one_per_person on decisions (gate_id, person_id)
  where accepted and decision = 'approve';
create table grant_uses (
  gate_id text not null references gates,
  action_digest text not null,
  effect_id text not null,
  used_at timestamptz not null,
  primary key (gate_id, action_digest)
);
create table terms_acceptances (
  principal_id text not null,
  provider text not null,
  url text not null,
  version text not null,
  digest text not null,
  gate_id text not null references gates,
  accepted_by text[] not null,
  accepted_at timestamptz not null,
  primary key (principal_id, provider, url, version, digest)
);
`;

const bundles = `
create table bundles (
  digest text primary key,
  manifest text not null,
  files int not null,
  bytes bigint not null,
  stored_at timestamptz not null
);
create table bundle_files (
  digest text not null references bundles,
  path text not null,
  sha256 text not null,
  content bytea not null,
  primary key (digest, path)
);
`;

export const tables = instance + register + runs + gates + bundles;
