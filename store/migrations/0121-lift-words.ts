/** Words towards lifting a stop, where the policy asks several persons: what each signed, until one lifts it. */
export const liftWords = `
create table lift_words (
  statement text primary key,
  stop_id bigint not null references stops (stop_id),
  person_id text not null,
  message text not null,
  recorded_at timestamptz not null default countersign_now()
);
create index lift_words_of_stop on lift_words (stop_id, recorded_at);
create trigger lift_words_rows before update or delete on lift_words
  for each row execute function forbid_change();
create trigger lift_words_all before truncate on lift_words
  for each statement execute function forbid_change();
`;
