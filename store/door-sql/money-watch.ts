/**
 * What follows from a balance that changed, in the transaction that changed it: alerts, and renewals that no longer fit.
 * Called by a trigger of each balance row, whose lock makes one of two at once.
 */
export const moneyWatchSql = `
-- At 50, 80 and 100 % of a cap, once each for scope and month, whatever goes up and down in between.
create function balance_watch(p_old balances, p_new balances) returns void
language plpgsql volatile as $$
declare
  v_cap bigint := p_new.cap_minor;
  v_used bigint := p_new.reserved_minor + p_new.captured_minor + p_new.standing_minor;
  v_before bigint := p_old.reserved_minor + p_old.captured_minor + p_old.standing_minor;
  v_level int;
begin
  if v_cap is null then return; end if;
  if (v_used, v_cap) is not distinct from (v_before, p_old.cap_minor) then return; end if;
  foreach v_level in array array[50, 80, 100] loop
    if v_used > 0 and v_used * 100 >= v_cap * v_level then
      perform notice_add('cap-alert', concat_ws(':', 'cap-alert', p_new.scope, p_new.month,
          p_new.currency, /* guard:alert-once else gen_random_uuid()::text */ v_level::text /* end */),
        null, jsonb_build_object('scope', p_new.scope, 'month', p_new.month,
          'currency', p_new.currency, 'percent', v_level, 'usedMinor', v_used, 'capMinor', v_cap,
          'standingMinor', p_new.standing_minor));
    end if;
  end loop;
  if p_new.standing_minor > 0 and v_used > v_cap then
    perform renewal_over_cap(p_new, v_used);
  end if;
end $$;

create function renewal_over_cap(p_row balances, p_used bigint) returns void
language plpgsql volatile as $$
declare
  v_name text := concat_ws('/', 'renewal-over-cap', p_row.scope, p_row.month, p_row.currency);
begin
  if exists (select 1 from cases c where c.finding = v_name) then return; end if;
  perform open_case(null, null, 'renewal-over-cap', format(
    'cap %s: %s of renewals are due in %s, and with them %s %s are used of %s', p_row.scope,
    p_row.standing_minor, p_row.month, p_used, p_row.currency, p_row.cap_minor),
    format('Raise the cap %s to at least %s %s (minor units), or cancel one of these before its date: %s',
      p_row.scope, p_used, p_row.currency,
      (select string_agg(split_part(c.effect_id, '/', 2) || ' ' || split_part(c.effect_id, '/', 3)
              || ' ' || c.amount_minor, ', ' order by c.amount_minor desc, c.effect_id)
         from commitments c where p_row.scope = any(c.scopes) and c.currency = p_row.currency
          and commitment_due(c, p_row.month))), v_name);
end $$;

-- The cases of renewals that fit again, or whose month is over, close by themselves.
create function renewals_that_fit() returns int language plpgsql volatile as $$
declare
  v_closed int;
begin
  update cases c set closed_at = countersign_now(), closed_by = 'reconcile',
         closed_as = 'seen-resolved', close_reason = 'it fits its cap again, or its month is over'
   where c.kind = 'renewal-over-cap' and c.closed_at is null and not exists (
     select 1 from balances b
      where c.finding = concat_ws('/', 'renewal-over-cap', b.scope, b.month, b.currency)
        and b.month >= utc_month(countersign_now()) and b.standing_minor > 0
        and b.reserved_minor + b.captured_minor + b.standing_minor > b.cap_minor);
  get diagnostics v_closed = row_count;
  return v_closed;
end $$;
`;

/** Renewals: reserved first in each month they fall due, captured when the provider has charged them. */
export const renewalsSql = `
create function commitment_due(p commitments, p_month text) returns boolean language sql stable as $$
  select p.since_month < p_month
    and (p.renews = 'month' or right(p.since_month, 2) = right(p_month, 2))
    and (p.ended_month is null or p_month < p.ended_month)
    and not exists (select 1 from renewals w where w.effect_id = p.effect_id and w.month = p_month)
$$;

create function standing_due(p_scope text, p_month text, p_currency text) returns bigint
language sql stable as $$
  select coalesce(sum(c.amount_minor), 0)::bigint from commitments c
   where p_scope = any(c.scopes) and c.currency = p_currency and commitment_due(c, p_month)
$$;

-- The first touch of a month: every scope of every renewal that is due in it has its row, with the cap it was judged by
-- last, before anything else is reserved. The caller holds the lock of the months.
create function months_open(p_scopes text[], p_months text[], p_currency text) returns void
language sql volatile as $$
  insert into balances (scope, month, currency, standing_minor, cap_minor)
    select n.scope, n.month, p_currency,
           /* guard:renewals-first else 0 */ standing_due(n.scope, n.month, p_currency) /* end */,
           (select b.cap_minor from balances b where b.scope = n.scope
               and b.currency = p_currency and b.cap_minor is not null
             order by b.month desc limit 1)
      from (select s as scope, m as month from unnest(p_scopes) s, unnest(p_months) m
            union
            select s, m from commitments c, unnest(p_months) m, unnest(c.scopes) s
             where c.currency = p_currency and commitment_due(c, m)) n
     order by n.scope, n.month
    on conflict do nothing
$$;

-- Tells the rows of this month the caps of the policy in force, and opens them for every renewal due:
-- [{scope, capMinor}]. Scopes without a renewal get a row when something is reserved under them.
create function month_begins(p_caps jsonb, p_currency text) returns void language plpgsql volatile as $$
declare
  v_month text := utc_month(countersign_now());
  v_scopes text[];
begin
  perform pg_advisory_xact_lock(7002);
  perform months_open('{}', array[v_month], p_currency);
  select coalesce(array_agg(b.scope), '{}') into v_scopes from balances b
   where b.month = v_month and b.currency = p_currency
     and b.scope in (select c->>'scope' from jsonb_array_elements(p_caps) c);
  perform balances_lock(v_scopes, array[v_month], p_currency);
  update balances b set cap_minor = (c->>'capMinor')::bigint
    from jsonb_array_elements(p_caps) c
   where b.scope = c->>'scope' and b.month = v_month and b.currency = p_currency
     and b.cap_minor is distinct from (c->>'capMinor')::bigint;
end $$;

-- {effectId, object, paidMinor, paidAt}: books what a provider charged again, once for each object, in the month it was
-- paid, against what was reserved for it. Answers booked, known, or no-commitment.
create function capture_renewal(p jsonb) returns text language plpgsql volatile as $$
declare
  v commitments;
  v_month text := utc_month((p->>'paidAt')::timestamptz);
  v_paid bigint := (p->>'paidMinor')::bigint;
begin
  perform pg_advisory_xact_lock(7002);
  select * into v from commitments c where c.effect_id = p->>'effectId';
  if not found then return 'no-commitment'; end if;
  v_month := greatest(v.since_month, least(v_month, utc_month(countersign_now())));
  perform balances_lock(v.scopes, array[v_month], v.currency);
  insert into renewals (object, effect_id, month, currency, amount_minor, due_minor, paid_at,
      recorded_at)
    values (p->>'object', v.effect_id, v_month, v.currency, v_paid, v.amount_minor,
            (p->>'paidAt')::timestamptz, countersign_now())
    on conflict do nothing;
  if not found then return 'known'; end if;
  update balances b set captured_minor = b.captured_minor + v_paid,
         standing_minor = standing_due(b.scope, b.month, b.currency)
   where b.scope = any(v.scopes) and b.month = v_month and b.currency = v.currency;
  perform post(split_part(v.effect_id, '/', 2), split_part(v.effect_id, '/', 3), 'renewal', v_month,
               v.currency, v_paid, v.scopes);
  perform log_append('renewal-captured', split_part(v.effect_id, '/', 2), jsonb_build_object(
    'effect', v.effect_id, 'object', p->>'object', 'month', v_month, 'paidMinor', v_paid,
    'dueMinor', v.amount_minor));
  return 'booked';
end $$;

-- It ended at the provider: nothing is due from now on.
create function commitment_seen_ended(p_effect text) returns boolean language plpgsql volatile as $$
begin
  if not exists (select 1 from commitments c
       where c.effect_id = p_effect and c.ended_month is null) then
    return false;
  end if;
  perform pg_advisory_xact_lock(7002);
  perform commitment_ends(p_effect);
  perform log_append('commitment-ended', split_part(p_effect, '/', 2),
    jsonb_build_object('effect', p_effect));
  return true;
end $$;
`;
