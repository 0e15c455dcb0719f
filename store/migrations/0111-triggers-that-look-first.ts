/**
 * What triggers do is asked for where they are declared: a row that concerns none of them starts no function. Each
 * function keeps its own condition.
 */
const effects = `
drop trigger effects_begin on effects;
create trigger effects_begin before insert on effects
  for each row when (new.state = 'claimed') execute function effect_begins();
create trigger effects_begin_again before update on effects
  for each row when (new.state = 'claimed' and old.state = 'failed')
  execute function effect_begins();

drop trigger effects_take on effects;
create trigger effects_take before insert on effects
  for each row when (new.kind = 'act' and new.state = 'claimed' and not new.settled)
  execute function effect_takes();
create trigger effects_take_again before update on effects
  for each row when (new.kind = 'act' and new.state = 'claimed' and not new.settled
    and new.attempt <> old.attempt)
  execute function effect_takes();

drop trigger effects_give_back on effects;
create trigger effects_give_back after update on effects
  for each row when (new.kind = 'act' and new.state = 'failed' and old.state <> 'failed')
  execute function effect_gives_back();

drop trigger runs_give_back on runs;
create trigger runs_give_back after update on runs
  for each row when (new.end_phase is not null and old.end_phase is null)
  execute function run_gives_back();
`;

const balances = `
drop trigger balances_watch on balances;
create trigger balances_watch after insert on balances
  for each row execute function balance_changed();
create trigger balances_watch_change after update on balances
  for each row when (
    (new.reserved_minor + new.captured_minor + new.standing_minor, new.cap_minor) is distinct from
    (old.reserved_minor + old.captured_minor + old.standing_minor, old.cap_minor))
  execute function balance_changed();
`;

/** As before, and done at once where the steps take nothing and hold nothing: most of them. */
const allowances = `
create or replace function hold_allowances(p_run text, p_steps text[]) returns void
language plpgsql volatile as $$
declare
  v_now timestamptz;
  v_scopes text[];
  v_scope text;
  v_full record;
begin
  select array_agg(distinct a.scope order by a.scope) into v_scopes
    from unnest(p_steps) s, allowances_of_step(p_run, s) a;
  if v_scopes is null and not exists (select 1 from allowances h
       where h.run_id = p_run and h.step = any(p_steps) and not h.released) then
    return;
  end if;
  foreach v_scope in array coalesce(v_scopes, '{}') loop
    perform pg_advisory_xact_lock(7003, hashtext(v_scope));
  end loop;
  v_now := countersign_now();
  insert into allowances as h (run_id, step, scope, amount, held_at)
    select p_run, s, a.scope, a.amount, v_now from unnest(p_steps) s, allowances_of_step(p_run, s) a
    on conflict (run_id, step, scope) do update
      set amount = excluded.amount, held_at = excluded.held_at, released = false;
  select l.rule, l.most, u.used, o.own into v_full
    from (select h.scope, sum(h.amount)::bigint as own from allowances h
           where h.run_id = p_run and h.step = any(p_steps) and not h.released
           group by h.scope) o,
         allowance_limits(o.scope, v_now) l,
         lateral (select sum(h.amount)::bigint as used from allowances h
                   where h.scope = o.scope and not h.released and h.held_at >= l.since) u
   where u.used > l.most order by l.rule limit 1;
  if found then
    raise exception '%: % of % are taken, and % more are asked for', v_full.rule,
      v_full.used - v_full.own, v_full.most, v_full.own using errcode = 'CS002';
  end if;
end $$;
`;

export const triggersThatLookFirst = effects + balances + allowances;
