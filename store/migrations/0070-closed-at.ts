/** When a row was closed: a plan that was quoted before that moment may count upon what is gone by now. */
export const closedAt = `
alter table effects add column closed_at timestamptz;

create function effect_closes() returns trigger language plpgsql as $$
begin
  if new.state = 'closed' and old.state <> 'closed' then
    new.closed_at := countersign_now();
  end if;
  return new;
end $$;
create trigger effects_closes before update on effects
  for each row execute function effect_closes();
`;
