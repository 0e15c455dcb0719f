/**
 * The moments in the life of a gate, as facts of the database's clock: when its reminder and its escalation fall due is
 * written as it opens, from the policy of that moment; that each was told is written once, by whoever sees it first.
 */
export const gateMoments = `
alter table gates add column remind_at timestamptz, add column escalate_at timestamptz,
  add column reminded_at timestamptz, add column escalated_at timestamptz;
create function gate_moments() returns trigger language plpgsql as $$
begin
  if row(new.remind_at, new.escalate_at) is distinct from row(old.remind_at, old.escalate_at)
     or (old.reminded_at is not null and new.reminded_at is distinct from old.reminded_at)
     or (old.escalated_at is not null and new.escalated_at is distinct from old.escalated_at) then
    raise exception 'the moments of gate % are written once', old.gate_id using errcode = 'CS010';
  end if;
  return new;
end $$;
create trigger gates_moments before update on gates for each row execute function gate_moments();
create index gates_open on gates (expires_at) where state = 'open';
`;
