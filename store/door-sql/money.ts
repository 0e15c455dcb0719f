import { moneyWatchSql, renewalsSql } from './money-watch.js';

/**
 * Money: one locked balance row per (scope, month, currency), immutable postings. The month is the UTC month of
 * the database's clock. Rows are always locked in the order of (scope, month), and the lock of the months (7002),
 * under which rows and renewals come to be, before any of them: taken later, it closes a circle of waiters.
 */
const balances = `
-- Makes the rows that are missing (with the renewals due in that month, which come first) and locks all.
create function balances_lock(p_scopes text[], p_months text[], p_currency text) returns void
language plpgsql volatile as $$
begin
  if (select count(*) from balances b
       where b.scope = any(p_scopes) and b.month = any(p_months) and b.currency = p_currency)
     < (select count(distinct s) from unnest(p_scopes) s)
       * (select count(distinct m) from unnest(p_months) m) then
    /* guard:month-lock else null */ perform pg_advisory_xact_lock(7002) /* end */;
    perform months_open(p_scopes, p_months, p_currency);
  end if;
  perform 1 from balances b
   where b.scope = any(p_scopes) and b.month = any(p_months) and b.currency = p_currency
   order by b.scope, b.month for update;
end $$;

create function post(p_run text, p_step text, p_kind text, p_month text, p_currency text,
                     p_amount bigint, p_scopes text[]) returns void
language sql volatile as $$
  insert into postings (run_id, step, kind, month, currency, amount_minor, scopes, posted_at)
    values (p_run, p_step, p_kind, p_month, p_currency, p_amount, p_scopes, countersign_now())
$$;
`;

const draw = `
-- Brings a step's reservation under this month's caps: reserves, moves or confirms it, or raises CS002.
-- A free effect draws nothing, so that an overshoot elsewhere does not hold it back.
create function door_draw(p_run text, p_step text, p_caps jsonb, p_cost bigint, p_currency text,
                          p_move boolean) returns void language plpgsql volatile as $$
declare
  v_old reservations;
  v_month text := utc_month(countersign_now());
  v_scopes text[];
  v_still boolean;
  v_stopped text;
  v_own bigint;
  v_full record;
begin
  select coalesce(array_agg(distinct c->>'scope'), '{}') into v_scopes
    from jsonb_array_elements(p_caps) c;
  select * into v_old from reservations r where r.run_id = p_run and r.step = p_step;
  if v_old.state = 'reserved' and not p_move then return; end if;
  v_stopped := case when p_cost > 0
    then /* guard:budget-zero else null */ budget_stopped(p_run, p_step) /* end */ end;
  if v_stopped is not null then
    raise exception 'cap 0: a stop over % leaves no budget, and % % are asked for', v_stopped, p_cost,
      p_currency using errcode = 'CS002';
  end if;
  if v_old.state = 'captured' then
    raise exception 'step % of run % was paid already', p_step, p_run using errcode = 'CS004';
  end if;
  -- Nothing moves: what is reserved stays counted, here and for everybody else who asks. Only the caps are looked
  -- at again, and that needs no lock on the balances, which would be held until the disk has the commit.
  v_still := coalesce(v_old.state = 'reserved' and v_old.month = v_month
    and v_old.amount_minor = p_cost and v_old.currency = p_currency and v_old.scopes = v_scopes, false);
  v_own := case when v_still then p_cost else 0 end;
  if not v_still then
    perform balances_lock(v_scopes || coalesce(v_old.scopes, '{}'),
                          array[v_month, coalesce(v_old.month, v_month)], p_currency);
  end if;
  if v_old.state = 'reserved' and not v_still then
    update balances b set reserved_minor = b.reserved_minor - v_old.amount_minor
     where b.scope = any(v_old.scopes) and b.month = v_old.month and b.currency = v_old.currency;
  end if;
  select c->>'scope' as scope, (c->>'capMinor')::bigint as cap,
         b.reserved_minor + b.captured_minor + b.standing_minor - v_own as used into v_full
    from jsonb_array_elements(p_caps) c
    join balances b on b.scope = c->>'scope' and b.month = v_month and b.currency = p_currency
   -- Once more as a list, for the index: without it every balance of the month is read.
   where b.scope = any(v_scopes)
     and b.reserved_minor + b.captured_minor + b.standing_minor - v_own + p_cost
         > (c->>'capMinor')::bigint
   order by c->>'scope' limit 1;
  if found and p_cost > 0 then
    raise exception 'cap %: % of % % are used in %, and % more are asked for', v_full.scope,
      v_full.used, v_full.cap, p_currency, v_month, p_cost using errcode = 'CS002';
  end if;
  if v_still then return; end if;
  update balances b set reserved_minor = b.reserved_minor + p_cost, cap_minor = n.cap
    from (select c->>'scope' as scope, min((c->>'capMinor')::bigint) as cap
            from jsonb_array_elements(p_caps) c group by 1) n
   where b.scope = n.scope and b.scope = any(v_scopes) and b.month = v_month
     and b.currency = p_currency;
  insert into reservations as r (run_id, step, month, currency, scopes, amount_minor, state)
    values (p_run, p_step, v_month, p_currency, v_scopes, p_cost, 'reserved')
    on conflict (run_id, step) do update
      set month = excluded.month, currency = excluded.currency, scopes = excluded.scopes,
          amount_minor = excluded.amount_minor, state = 'reserved';
  if v_old.state is distinct from 'reserved' then
    perform post(p_run, p_step, 'reserve', v_month, p_currency, p_cost, v_scopes);
  elsif v_old.month <> v_month or v_old.amount_minor <> p_cost or v_old.scopes <> v_scopes then
    perform post(p_run, p_step, 'move', v_month, p_currency, p_cost, v_scopes);
  end if;
end $$;

-- The whole plan's costs, all or none: [{step, costMinor, currency, caps: [{scope, capMinor}]}]. Raises CS002.
-- The caller's transaction holds fence, run and gate already, in this order.
create function reserve_plan(p_run text, p_items jsonb) returns void
language plpgsql volatile as $$
declare
  v_item jsonb;
  v_currency text;
  v_month text := utc_month(countersign_now());
begin
  for v_currency in select distinct i->>'currency' from jsonb_array_elements(p_items) i order by 1
  loop
    perform balances_lock(array(
      select c->>'scope' from jsonb_array_elements(p_items) i,
             jsonb_array_elements(i->'caps') c where i->>'currency' = v_currency
      union select unnest(r.scopes) from reservations r where r.run_id = p_run),
      array(select v_month union select r.month from reservations r where r.run_id = p_run),
      v_currency);
  end loop;
  for v_item in select i from jsonb_array_elements(p_items) i loop
    perform door_draw(p_run, v_item->>'step', v_item->'caps', (v_item->>'costMinor')::bigint,
                      v_item->>'currency', true);
  end loop;
end $$;

create function door_release(p_run text, p_step text) returns void language plpgsql volatile as $$
declare
  v reservations;
begin
  select * into v from reservations r where r.run_id = p_run and r.step = p_step;
  if v.state is distinct from 'reserved' then return; end if;
  perform balances_lock(v.scopes, array[v.month], v.currency);
  update balances b set reserved_minor = b.reserved_minor - v.amount_minor
   where b.scope = any(v.scopes) and b.month = v.month and b.currency = v.currency;
  update reservations r set state = 'released' where r.run_id = p_run and r.step = p_step;
  perform post(p_run, p_step, 'release', v.month, v.currency, v.amount_minor, v.scopes);
end $$;
`;

const capture = `
-- Before any balance of an effect that renews is touched.
create function months_lock(p_effect effects) returns void language plpgsql volatile as $$
begin
  if exists (select 1 from commitments c where c.effect_id = p_effect.effect_id)
     or exists (select 1 from plan_steps s where s.run_id = p_effect.run_id
          and s.step = p_effect.step and s.renewal_minor > 0) then
    perform pg_advisory_xact_lock(7002);
  end if;
end $$;

-- Books what was really charged, in full, in the month of the reservation; the rest of it goes back. More than
-- was reserved: a fence on the run and a case, whose text is returned. The caller holds the run's row, behind
-- which every authorizer of this run reads its fences.
create function door_capture(p_effect text, p_captured bigint) returns text
language plpgsql volatile as $$
declare
  v effects;
  v_res reservations;
  v_month text;
  v_reserved bigint;
begin
  select * into v from effects e where e.effect_id = p_effect;
  select * into v_res from reservations r where r.run_id = v.run_id and r.step = v.step;
  if v_res.run_id is null then
    if p_captured = 0 then return null; end if;
    raise exception 'effect % was charged and nothing was ever reserved', p_effect
      using errcode = 'CS004';
  end if;
  v_reserved := case when v_res.state = 'reserved' then v_res.amount_minor else 0 end;
  v_month := case when v_res.state = 'reserved'
    then /* guard:book-by-reservation else utc_month(countersign_now()) */ v_res.month /* end */
    else utc_month(countersign_now()) end;
  perform months_lock(v);
  perform balances_lock(v_res.scopes, array[v_month, v_res.month], v_res.currency);
  update balances b
     set reserved_minor = b.reserved_minor - case when b.month = v_res.month then v_reserved else 0 end,
         captured_minor = b.captured_minor + case when b.month = v_month then p_captured else 0 end
   where b.scope = any(v_res.scopes) and b.month in (v_res.month, v_month)
     and b.currency = v_res.currency;
  update reservations r
     set state = 'captured', month = v_month, captured_minor = r.captured_minor + p_captured
   where r.run_id = v.run_id and r.step = v.step;
  perform post(v.run_id, v.step, 'capture', v_month, v_res.currency, p_captured, v_res.scopes);
  perform commitment_begins(v, v_res, v_month);
  if p_captured <= v_reserved then return null; end if;
  perform post(v.run_id, v.step, 'overshoot', v_month, v_res.currency,
               p_captured - v_reserved, v_res.scopes);
  perform fence_insert('run/' || v.run_id, 'charged above the reservation', 'door', true);
  return open_case(v.run_id, p_effect, 'overshoot', format(
    'charged %s %s where %s were reserved; booked in full, run fenced',
    p_captured, v_res.currency, v_reserved));
end $$;

-- What renews by itself is reserved first in each month it falls due. The caller holds the lock of the months.
create function commitment_begins(p_effect effects, p_res reservations, p_month text) returns void
language plpgsql volatile as $$
declare
  v_step plan_steps;
begin
  select s.* into v_step from plan_steps s join runs r
      on r.run_id = s.run_id and r.plan_revision = s.revision
   where s.run_id = p_effect.run_id and s.step = p_effect.step;
  if coalesce(v_step.renewal_minor, 0) = 0 or v_step.renewal_interval is null then return; end if;
  insert into commitments (effect_id, scopes, currency, amount_minor, renews, since_month)
    values (p_effect.effect_id, p_res.scopes, p_res.currency, v_step.renewal_minor,
            v_step.renewal_interval, p_month)
    on conflict do nothing;
  if found then
    update balances b set standing_minor = standing_due(b.scope, b.month, b.currency)
     where b.scope = any(p_res.scopes) and b.month > p_month and b.currency = p_res.currency;
  end if;
end $$;

create function commitment_ends(p_effect text) returns void language plpgsql volatile as $$
declare
  v commitments;
begin
  update commitments c set ended_month = utc_month(countersign_now())
   where c.effect_id = p_effect and c.ended_month is null returning * into v;
  if v.effect_id is not null then
    update balances b set standing_minor = standing_due(b.scope, b.month, b.currency)
     where b.scope = any(v.scopes) and b.month > v.ended_month and b.currency = v.currency;
  end if;
end $$;

-- A refund, as read back, gives room back only in the month of its capture; fees never come back.
create function door_refund(p_effect effects, p_refunded bigint) returns void
language plpgsql volatile as $$
declare
  v_res reservations;
begin
  if p_refunded = 0 then return; end if;
  select * into v_res from reservations r
   where r.run_id = p_effect.run_id and r.step = p_effect.step;
  update reservations r set refunded_minor = r.refunded_minor + p_refunded
   where r.run_id = p_effect.run_id and r.step = p_effect.step;
  if v_res.month = utc_month(countersign_now()) then
    perform balances_lock(v_res.scopes, array[v_res.month], v_res.currency);
    update balances b set captured_minor = b.captured_minor - p_refunded
     where b.scope = any(v_res.scopes) and b.month = v_res.month and b.currency = v_res.currency;
  end if;
  perform post(p_effect.run_id, p_effect.step, 'refund', v_res.month, v_res.currency, p_refunded,
               v_res.scopes);
end $$;
`;

export const moneySql = balances + renewalsSql + moneyWatchSql + draw + capture;
