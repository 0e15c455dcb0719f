/**
 * What is counted by day and month beside money: new domains, new accounts, and what an agent spends without anybody
 * agreeing. The limits are those of the policy in force, read here, from its row. A run takes its share of all of it
 * when its plan is reserved; each authorize and claim takes it anew, on the day it happens. Locks: after the caps and
 * before the effect, one for each scope, in the order of their names.
 */
const table = `
create table allowances (
  run_id text not null references runs,
  step text not null,
  scope text not null,
  amount bigint not null check (amount >= 0),
  held_at timestamptz not null,
  released boolean not null default false,
  primary key (run_id, step, scope)
);
create index allowances_of on allowances (scope, held_at) where not released;
create trigger allowances_kept before delete on allowances
  for each row execute function forbid_change();
create trigger allowances_whole before truncate on allowances
  for each statement execute function forbid_change();
`;

const functions = `
create function amount_minor(p_text text) returns bigint language sql immutable as $$
  select replace(split_part(p_text, ' ', 1), '.', '')::bigint
$$;

-- The limits of the policy in force over a scope: (rule, since, limit), a row for each period.
create function allowance_limits(p_scope text, p_now timestamptz)
returns table (rule text, since timestamptz, most bigint) language plpgsql volatile as $$
declare
  v jsonb;
  v_day timestamptz := date_trunc('day', p_now, 'UTC');
  v_month timestamptz := date_trunc('month', p_now, 'UTC');
begin
  select o.document::jsonb into v from policies o order by o.version desc limit 1;
  return query select l.* from (values
    ('counts.newDomainsPerDay', v_day,
      case when p_scope = 'domains' then (v->'counts'->>'newDomainsPerDay')::bigint end),
    ('counts.newDomainsPerMonth', v_month,
      case when p_scope = 'domains' then (v->'counts'->>'newDomainsPerMonth')::bigint end),
    ('counts.newAccountsPerDay', v_day,
      case when p_scope = 'accounts' then (v->'counts'->>'newAccountsPerDay')::bigint end),
    ('counts.newAccountsPerMonth', v_month,
      case when p_scope = 'accounts' then (v->'counts'->>'newAccountsPerMonth')::bigint end),
    ('unattended.perDay', v_day, case when p_scope like 'unattended:%'
      then amount_minor(v->'unattended'->>'perDay') end),
    ('unattended.perMonth', v_month, case when p_scope like 'unattended:%'
      then amount_minor(v->'unattended'->>'perMonth') end)
  ) l(rule, since, most) where l.most is not null;
end $$;

-- What a step of the current plan takes: one domain, one account, its cost where no gate covers it.
create function allowances_of_step(p_run text, p_step text)
returns table (scope text, amount bigint) language plpgsql volatile as $$
declare
  v_row plan_steps;
  v_step jsonb;
  v_agent text;
begin
  select s.* into v_row from plan_steps s join runs r
      on r.run_id = s.run_id and r.plan_revision = s.revision
   where s.run_id = p_run and s.step = p_step and s.kind = 'act';
  -- Most steps take nothing, and their plan need not be read.
  if not found or (p_step not in ('register-domain', 'link-account')
                   and (v_row.cost_minor = 0 or v_row.tier <> 'autonomous')) then
    return;
  end if;
  select s, r.agent into v_step, v_agent
    from runs r join plans p on p.run_id = r.run_id and p.revision = r.plan_revision,
         jsonb_array_elements(p.plan::jsonb->'steps') s
   where r.run_id = p_run and s->>'step' = p_step;
  if v_step->'action'->>'operation' = 'registrar.registrations.create' then
    return query select 'domains'::text, 1::bigint;
  end if;
  if v_step->'action'->>'operation' = 'accounts.create' then
    return query select 'accounts'::text, 1::bigint;
  end if;
  if v_row.cost_minor > 0 and v_step is not null and v_step->>'gate' is null then
    return query select 'unattended:' || v_agent, v_row.cost_minor;
  end if;
end $$;

-- Takes what these steps need, or raises CS002 naming the rule. The caller's transaction holds fence and run.
create function hold_allowances(p_run text, p_steps text[]) returns void
language plpgsql volatile as $$
declare
  v_now timestamptz;
  v_scope text;
  v_full record;
begin
  for v_scope in select distinct a.scope from unnest(p_steps) s, allowances_of_step(p_run, s) a
                  order by 1 loop
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

-- All that the current plan is still to do.
create function hold_plan(p_run text) returns void language plpgsql volatile as $$
begin
  perform hold_allowances(p_run, array(
    select s.step from plan_steps s join runs r
        on r.run_id = s.run_id and r.plan_revision = s.revision
     where s.run_id = p_run and s.kind = 'act' and not exists (
       select 1 from effects e where e.run_id = p_run and e.step = s.step and e.kind = 'act'
          and e.state = 'succeeded') order by s.position));
end $$;
`;

const triggers = `
create function effect_takes() returns trigger language plpgsql as $$
begin
  if new.kind = 'act' and new.state = 'claimed' and not new.settled
     and (tg_op = 'INSERT' or new.attempt <> old.attempt) then
    perform hold_allowances(new.run_id, array[new.step]);
  end if;
  return new;
end $$;
create trigger effects_take before insert or update on effects
  for each row execute function effect_takes();

-- Surely nothing was done: the share goes back.
create function effect_gives_back() returns trigger language plpgsql as $$
begin
  if new.kind = 'act' and new.state = 'failed' and old.state <> 'failed' then
    update allowances h set released = true
     where h.run_id = new.run_id and h.step = new.step and not h.released;
  end if;
  return null;
end $$;
create trigger effects_give_back after update on effects
  for each row execute function effect_gives_back();

-- A run that has ended keeps what it has made, put back or not; the rest of its share goes back.
create function run_gives_back() returns trigger language plpgsql as $$
begin
  if new.end_phase is not null and old.end_phase is null then
    update allowances h set released = true
     where h.run_id = new.run_id and not h.released and not exists (
       select 1 from effects e where e.run_id = h.run_id and e.step = h.step and e.kind = 'act'
          and e.object is not null);
  end if;
  return null;
end $$;
create trigger runs_give_back after update on runs
  for each row execute function run_gives_back();
`;

export const counts = table + functions + triggers;
