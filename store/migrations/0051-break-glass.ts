/**
 * A gate that one person passed alone: until when, and by which statement, which lies among the decisions. Written once;
 * every use looks at its end by the database's clock.
 */
export const breakGlass = `
create table break_glasses (
  gate_id text primary key references gates,
  run_id text not null references runs,
  digest text not null unique references decisions (digest),
  person_id text not null,
  expires_at timestamptz not null,
  recorded_at timestamptz not null default countersign_now()
);
create trigger break_glasses_rows before update or delete on break_glasses
  for each row execute function forbid_change();
create trigger break_glasses_all before truncate on break_glasses
  for each statement execute function forbid_change();

create function review_by_another() returns trigger language plpgsql as $$
begin
  if new.kind = 'break-glass-review' and new.closed_at is not null and old.closed_at is null
     and (new.closed_as is distinct from 'by-person' or new.closed_by = new.person_id) then
    raise exception 'case % is closed by another person than the one who broke the glass', new.case_id
      using errcode = 'CS010';
  end if;
  return new;
end $$;
create trigger cases_review before update on cases for each row execute function review_by_another();
`;
