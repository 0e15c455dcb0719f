/**
 * Words towards lifting a stop: what each person signed, and which stop it was about, for ever. A stop that somebody sets
 * again while it stands asks for words said after that.
 */
export const liftWords = `
alter table stops add column pressed_at timestamptz;
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
