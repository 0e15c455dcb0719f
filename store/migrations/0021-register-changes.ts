/** Signed changes of the register, each once: the same statement again changes nothing. */
export const registerChanges = `
create table register_changes (
  digest text primary key,
  kind text not null,
  message text not null,
  by_person text not null,
  changed_at timestamptz not null default countersign_now()
);
create trigger register_changes_rows before update or delete on register_changes
  for each row execute function forbid_change();
create trigger register_changes_all before truncate on register_changes
  for each statement execute function forbid_change();
`;
