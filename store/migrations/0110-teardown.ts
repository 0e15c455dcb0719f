/**
 * A run that takes down what a completed one made. `torn_by`: which run has set out to take this effect down, so that no
 * plan counts upon it from then on; `torn_at`: when it was gone.
 */
export const teardown = `
alter table runs add column tears_down text references runs;
create unique index runs_teardown on runs (tears_down)
  where tears_down is not null and door <> 'closed';
alter table effects
  add column torn_by text references runs,
  add column torn_at timestamptz;
create index effects_torn on effects (torn_by) where torn_by is not null;

create function teardown_forward() returns trigger language plpgsql as $$
begin
  if new.tears_down is distinct from old.tears_down then
    raise exception 'the admission of run % is written once', old.run_id using errcode = 'CS010';
  end if;
  return new;
end $$;
create trigger runs_teardown_kept before update on runs
  for each row execute function teardown_forward();

create function torn_forward() returns trigger language plpgsql as $$
begin
  if old.torn_at is not null
     and row(new.torn_by, new.torn_at) is distinct from row(old.torn_by, old.torn_at)
     or old.torn_by is not null and new.torn_by is not null and new.torn_by <> old.torn_by then
    raise exception 'effect % is torn down by % for good', old.effect_id, old.torn_by
      using errcode = 'CS010';
  end if;
  return new;
end $$;
create trigger effects_torn_forward before update on effects
  for each row execute function torn_forward();
`;
