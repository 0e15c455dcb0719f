/**
 * The outbox: what people are to be told is written in the transaction in which it happens, and sent afterwards, so that
 * a process killed in between tells it late instead of never. One row for each thing to tell (`dedupe` names it for ever);
 * who is told, and how, is the policy's to say when it is sent.
 */
export const notices = `
create table notices (
  notice_id bigint generated always as identity primary key,
  dedupe text not null unique,
  kind text not null check (kind ~ '^[a-z][a-z-]{1,40}$'),
  run_id text,
  payload jsonb not null,
  made_at timestamptz not null default countersign_now()
);
create trigger notices_rows before update or delete on notices
  for each row execute function forbid_change();
create trigger notices_all before truncate on notices
  for each statement execute function forbid_change();
`;
