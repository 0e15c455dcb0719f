/**
 * Money over time. `balances.cap_minor`: the cap by which a scope was judged last, so that alerts and renewals that no
 * longer fit are found where the balance changes. `renewals`: what a provider charged again, once each. The rest is what
 * `reconcile` keeps: findings by name, how far each area was read, and its passes.
 */
const balances = `
alter table balances add column cap_minor bigint check (cap_minor >= 0);
-- What the door says of a balance that changed: store/door-sql/money-watch.ts.
create function balance_changed() returns trigger language plpgsql as $$
begin
  perform balance_watch(case when tg_op = 'INSERT' then null else old end, new);
  return null;
end $$;
create trigger balances_watch after insert or update on balances
  for each row execute function balance_changed();

alter table postings drop constraint postings_kind_check, add constraint postings_kind_check
  check (kind in ('reserve', 'move', 'release', 'capture', 'overshoot', 'refund', 'renewal'));
create table renewals (
  object text primary key,
  effect_id text not null references effects,
  month text not null,
  currency text not null,
  amount_minor bigint not null check (amount_minor >= 0),
  due_minor bigint not null,
  paid_at timestamptz not null,
  recorded_at timestamptz not null
);
create index renewals_of on renewals (effect_id, month);
create trigger renewals_rows before update or delete on renewals
  for each row execute function forbid_change();
create trigger renewals_all before truncate on renewals
  for each statement execute function forbid_change();
`;

const reconcile = `
create table findings (
  name text primary key,
  kind text not null,
  area text not null,
  object text not null,
  case_id bigint references cases,
  first_seen_at timestamptz not null,
  last_seen_at timestamptz not null,
  gone_at timestamptz
);
create table reconcile_areas (
  area text primary key,
  tried_at timestamptz not null,
  read_at timestamptz,
  why text,
  unmanaged jsonb not null default '[]'
);
create table reconcile_passes (
  pass_id bigint generated always as identity primary key,
  begun_at timestamptz not null,
  ended_at timestamptz,
  outcome jsonb not null default '{}'
);
`;

export const moneyOverTime = balances + reconcile;
