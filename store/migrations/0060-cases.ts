/**
 * What a case is beside its text: how bad, what to do about it, which finding of `reconcile` opened it, and which person
 * it is about, who may not close it. What was found never changes afterwards; a case closes once and stays closed.
 */
export const casesToAct = `
alter table cases
  add column severity text not null default 'warning'
    check (severity in ('urgent', 'warning', 'info')),
  add column proposal text,
  add column finding text,
  add column person_id text,
  add column closed_as text check (closed_as in ('by-person', 'seen-resolved')),
  add column close_reason text,
  add column close_statement text,
  add column close_digest text unique;
alter table cases add constraint cases_review_names_its_person
  check (kind <> 'break-glass-review' or person_id is not null);
create index cases_open on cases (kind) where closed_at is null;

create function case_kept() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    raise exception 'a case is never deleted' using errcode = 'CS010';
  end if;
  if old.closed_at is not null then
    raise exception 'case % is closed', old.case_id using errcode = 'CS010';
  end if;
  if (new.case_id, new.run_id, new.effect_id, new.kind, new.text, new.severity, new.proposal, new.finding,
      new.person_id, new.opened_at)
     is distinct from
     (old.case_id, old.run_id, old.effect_id, old.kind, old.text, old.severity, old.proposal, old.finding,
      old.person_id, old.opened_at) then
    raise exception 'what case % says never changes', old.case_id using errcode = 'CS010';
  end if;
  if new.closed_at is not null and (new.closed_as is null or new.closed_by is null) then
    raise exception 'case % does not say who closes it, and how', old.case_id using errcode = 'CS010';
  end if;
  if new.closed_as = 'by-person' and (new.close_statement is null or new.close_digest is null) then
    raise exception 'case % is closed without a signed statement', old.case_id using errcode = 'CS010';
  end if;
  return new;
end $$;
create trigger cases_kept before update or delete on cases
  for each row execute function case_kept();
create trigger cases_whole before truncate on cases
  for each statement execute function forbid_change();
`;
