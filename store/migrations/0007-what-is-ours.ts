/**
 * What a reversal may take for ours. `refused`: the row had surely done nothing when it was marked `closing`.
 * `begun_at`: the first send since the row had last surely done nothing; what was there before it is not what it made.
 */
export const whatIsOurs = `
alter table effects
  add column refused boolean not null default false,
  add column begun_at timestamptz;

create function effect_begins() returns trigger language plpgsql as $$
begin
  if new.state = 'claimed' and (tg_op = 'INSERT' or old.state = 'failed') then
    new.begun_at := countersign_now();
  end if;
  return new;
end $$;
create trigger effects_begin before insert or update on effects
  for each row execute function effect_begins();
`;
