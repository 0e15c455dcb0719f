/** Effect rows, reads, fences, money, cases and the log (docs/effects.md). */
const effects = `
create table effects (
  effect_id text primary key,
  run_id text not null references runs,
  step text not null,
  kind text not null check (kind in ('act', 'undo')),
  state text not null
    check (state in ('claimed', 'succeeded', 'failed', 'unknown', 'closing', 'closed')),
  digest text,
  gate_id text references gates,
  policy_version int,
  provider text,
  keyed boolean not null default false,
  epoch int not null default 0,
  attempt int not null default 0,
  sender text,
  clean boolean not null default true,
  send_by timestamptz,
  settling_ms bigint not null default 0 check (settling_ms between 0 and 43200000),
  key_since timestamptz,
  settled boolean not null default true,
  settled_at timestamptz,
  object text,
  fields jsonb not null default '{}',
  captured_minor bigint not null default 0,
  refunded_minor bigint not null default 0,
  stored_error text check (stored_error in ('402', '500')),
  tombstone boolean not null default false,
  outcome text check (outcome in
    ('reversed', 'mitigated', 'never-happened', 'done-by-hand', 'given-up')),
  residue_minor bigint,
  residue_text text,
  evidence jsonb not null default '{}',
  created_at timestamptz not null,
  unique (run_id, step, kind)
);
-- the sweep reads back what was sent lately
create index effects_send_by on effects (send_by);
create table effect_reads (
  id bigint generated always as identity primary key,
  effect_id text not null references effects,
  attempt int not null,
  begun_at timestamptz not null,
  ended_at timestamptz,
  found boolean
);
create index effect_reads_of on effect_reads (effect_id, attempt);
`;

const fences = `
create table stops (
  stop_id bigint generated always as identity primary key,
  scope text not null,
  reason text not null,
  stopped_by text not null,
  proven boolean not null,
  fenced_at timestamptz not null,
  drained_at timestamptz,
  lifted_at timestamptz,
  lifted_by text,
  lifted_statement text unique
);
create table stop_wire (
  stop_id bigint not null references stops,
  effect_id text not null,
  attempt int not null,
  send_by timestamptz not null,
  settling_ms bigint not null,
  primary key (stop_id, effect_id)
);
-- the fences that stand now; what stood is in stops
create table fences (
  scope text primary key,
  stop_id bigint not null references stops
);
`;

const money = `
create table reservations (
  run_id text not null references runs,
  step text not null,
  month text not null,
  currency text not null,
  scopes text[] not null,
  amount_minor bigint not null check (amount_minor >= 0),
  captured_minor bigint not null default 0,
  refunded_minor bigint not null default 0,
  state text not null check (state in ('reserved', 'captured', 'released')),
  primary key (run_id, step)
);
create table balances (
  scope text not null,
  month text not null,
  currency text not null,
  reserved_minor bigint not null default 0 check (reserved_minor >= 0),
  captured_minor bigint not null default 0 check (captured_minor >= 0),
  standing_minor bigint not null default 0 check (standing_minor >= 0),
  primary key (scope, month, currency)
);
create table commitments (
  effect_id text primary key references effects,
  scopes text[] not null,
  currency text not null,
  amount_minor bigint not null,
  renews text not null check (renews in ('month', 'year')),
  since_month text not null,
  ended_month text
);
create table postings (
  id bigint generated always as identity primary key,
  run_id text not null,
  step text not null,
  kind text not null
    check (kind in ('reserve', 'move', 'release', 'capture', 'overshoot', 'refund')),
  month text not null,
  currency text not null,
  amount_minor bigint not null,
  scopes text[] not null,
  posted_at timestamptz not null
);
create index postings_of on postings (run_id);
create table cases (
  case_id bigint generated always as identity primary key,
  run_id text,
  effect_id text,
  kind text not null,
  text text not null,
  opened_at timestamptz not null,
  closed_at timestamptz,
  closed_by text
);
create table refusals (
  id bigint generated always as identity primary key,
  run_id text,
  asked text not null,
  reason text not null,
  detail text not null,
  refused_at timestamptz not null
);
`;

const log = `
create table log (
  idx bigint primary key,
  kind text not null,
  run_id text,
  at timestamptz not null,
  leaf text not null,
  prev text not null,
  hash text not null
);
-- what a leaf's hash was made of: erasable, and the chain still holds
create table log_payloads (
  idx bigint primary key references log,
  salt text not null,
  payload text not null
);
create table log_head (
  one boolean primary key default true check (one),
  idx bigint not null,
  hash text not null
);
insert into log_head (idx, hash) values (0, repeat('0', 64));
`;

export const effectTables = effects + fences + money + log;
