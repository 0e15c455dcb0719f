/**
 * What a bank takes or sends back later: disputes with what they hold back by now, and refunds that failed after they
 * were booked, once each.
 */
export const moneyBack = `
alter table postings drop constraint postings_kind_check, add constraint postings_kind_check
  check (kind in ('reserve', 'move', 'release', 'capture', 'overshoot', 'refund', 'renewal',
    'dispute', 'dispute-fee', 'refund-failed'));

create table disputes (
  dispute_id text primary key,
  effect_id text not null references effects,
  charge text not null,
  status text not null,
  withheld_minor bigint not null,
  fee_minor bigint not null,
  first_read_at timestamptz not null,
  last_changed_at timestamptz not null
);
create index disputes_of on disputes (effect_id);
create table failed_refunds (
  refund_id text primary key,
  effect_id text not null references effects,
  amount_minor bigint not null check (amount_minor > 0),
  recorded_at timestamptz not null
);
create trigger failed_refunds_rows before update or delete on failed_refunds
  for each row execute function forbid_change();
create trigger failed_refunds_all before truncate on failed_refunds
  for each statement execute function forbid_change();
`;
