/**
 * Pausing subscriptions under a stop that asks for it, and resuming them when none does any more. The cause is the stop
 * itself: what no stop wants is not paused, what one still wants is not resumed, and of two requests the later one
 * begins only when the former can do nothing any more.
 */
export const pausesSql = `
-- Does a stop in force want this run's subscription paused?
create function pause_wanted(p_run runs) returns boolean language plpgsql volatile as $$
begin
  return exists (select 1 from stops s where s.lifted_at is null and s.pauses_at is not null
    and scope_covers(s.scope, p_run, 'stripe'));
end $$;

-- Every subscription on record that may go on charging: what is wanted of it, how it was last seen, and whether
-- what was last asked for it has been seen to be so.
create function pauses_standing() returns table (
  effect_id text, run_id text, subscription text, wants text, state text, attempt int,
  of_others boolean, settled boolean, looked_at timestamptz
) language plpgsql volatile as $$
#variable_conflict use_column
declare
  v_now timestamptz := countersign_now();
begin
  return query
    select e.effect_id, e.run_id, e.object,
           case when pause_wanted(r) then 'paused' else 'running' end,
           coalesce(p.state, 'running'), coalesce(p.attempt, 0), coalesce(p.of_others, false),
           coalesce(p.settled, true), v_now
      from effects e join runs r on r.run_id = e.run_id
           left join subscription_pauses p on p.effect_id = e.effect_id
     where e.step = 'start-subscription' and e.kind = 'act' and e.object is not null
       and e.state in ('succeeded', 'closing') and coalesce(p.state, 'running') <> 'ended'
     order by e.effect_id;
end $$;

-- May this subscription be asked to pause, or to run again, now? The fence's lock keeps the cause what it is.
create function pause_begin(p jsonb) returns jsonb language plpgsql volatile as $$
declare
  v_now timestamptz;
  v_row effects;
  v_run runs;
  v subscription_pauses;
  v_send_by timestamptz;
begin
  perform door_enter();
  select r.* into v_run from runs r join effects e on e.run_id = r.run_id
   where e.effect_id = p->>'effectId' for no key update of r;
  if not found then return jsonb_build_object('verdict', 'refused', 'reason', 'NO_RUN'); end if;
  v_now := countersign_now();
  select * into v_row from effects e where e.effect_id = p->>'effectId';
  insert into subscription_pauses (effect_id, changed_at) values (v_row.effect_id, v_now)
    on conflict do nothing;
  select * into v from subscription_pauses x where x.effect_id = v_row.effect_id for update;
  if v_row.step <> 'start-subscription' or v_row.kind <> 'act' or v_row.object is null
     or v_row.state not in ('succeeded', 'closing') or v.state = 'ended'
     or /* guard:pause-cause else false */
        (p->>'asks' = 'paused') <> pause_wanted(v_run) /* end */
     or /* guard:pause-of-others else false */ (p->>'asks' = 'running' and v.of_others) /* end */
  then
    perform log_refusal(v_run.run_id, 'subscription ' || (p->>'asks'), 'NO_CAUSE',
      'no stop asks for it: ' || v_row.effect_id);
    return jsonb_build_object('verdict', 'refused', 'reason', 'NO_CAUSE');
  end if;
  if /* guard:pause-wire else false */
     not v.settled and v.send_by + from_ms(v.settling_ms) > v_now /* end */ then
    return jsonb_build_object('verdict', 'wait',
      'waitMs', to_ms(v.send_by + from_ms(v.settling_ms) - v_now) + 1);
  end if;
  v_send_by := v_now + from_ms((p->>'httpTimeoutMs')::bigint + 2000);
  update subscription_pauses x
     set attempt = x.attempt + 1, asks = p->>'asks', send_by = v_send_by,
         settling_ms = (p->>'settlingMs')::bigint, settled = false, changed_at = v_now
   where x.effect_id = v.effect_id;
  update runs r set operations = r.operations + 1 where r.run_id = v_run.run_id;
  perform log_append(case p->>'asks' when 'paused' then 'subscription-pausing'
      else 'subscription-resuming' end, v_run.run_id,
    jsonb_build_object('effect', v_row.effect_id, 'subscription', v_row.object,
      'attempt', v.attempt + 1));
  return jsonb_build_object('verdict', 'granted', 'attempt', v.attempt + 1,
    'remainingMs', to_ms(v_send_by - v_now));
end $$;

-- May this attempt still send? Not once a stop was lifted, or has come, in between.
create function pause_still(p_effect text, p_attempt int) returns boolean
language plpgsql volatile as $$
begin
  return exists (select 1 from subscription_pauses p join effects e on e.effect_id = p.effect_id
      join runs r on r.run_id = e.run_id
    where p.effect_id = p_effect and p.attempt = p_attempt and not p.settled
      and (p.asks = 'paused') = pause_wanted(r));
end $$;

-- What was read at the provider (running, paused, ended), with when the reader had looked here before; or: unsent, the
-- attempt surely never left; left: it is others' pause, and no stop wants one any more. False: it proves nothing.
create function pause_settle(p jsonb) returns boolean language plpgsql volatile as $$
declare
  v_row effects;
  v subscription_pauses;
  v_state text := p->>'state';
begin
  perform 1 from runs r join effects e on e.run_id = r.run_id
    where e.effect_id = p->>'effectId' for no key update of r;
  select * into v_row from effects e where e.effect_id = p->>'effectId';
  insert into subscription_pauses (effect_id, changed_at) values (v_row.effect_id, countersign_now())
    on conflict do nothing;
  select * into v from subscription_pauses x where x.effect_id = v_row.effect_id for update;
  if v.attempt <> (p->>'attempt')::int then return false; end if;
  if v_state = 'unsent' then
    update subscription_pauses x set settled = true where x.effect_id = v.effect_id;
    return true;
  end if;
  -- What is read while a request for something else may be on the wire says nothing of how it will stand.
  if not v.settled and v_state <> 'ended' and v_state <> v.asks
     and /* guard:pause-read else false */
         v.send_by + from_ms(v.settling_ms) > (p->>'lookedAt')::timestamptz /* end */ then
    return false;
  end if;
  update subscription_pauses x
     set state = case v_state when 'left' then 'running' else v_state end,
         of_others = v_state = 'paused' and v.settled and (v.of_others or v.state = 'running'),
         settled = true, changed_at = countersign_now()
   where x.effect_id = v.effect_id;
  if v_state <> v.state then
    perform log_append('subscription-' || v_state, v_row.run_id, jsonb_build_object(
      'effect', v_row.effect_id, 'subscription', v_row.object, 'attempt', v.attempt));
  end if;
  return true;
end $$;

-- How far the pausing under a scope has come. What is not known to stand or to be gone counts as not paused.
create function pauses_under(p_scope text) returns table (
  subscriptions bigint, unpaused bigint, paused_at timestamptz
) language plpgsql volatile as $$
begin
  return query
    select count(*),
           count(*) filter (where p.effect_id is null or not p.settled or p.state = 'running'),
           max(p.changed_at)
      from effects e join runs r on r.run_id = e.run_id
           left join subscription_pauses p on p.effect_id = e.effect_id
     where e.step = 'start-subscription' and e.kind = 'act'
       and (e.state in ('claimed', 'unknown')
         or e.state in ('succeeded', 'closing') and e.object is not null)
       and coalesce(p.state, '') <> 'ended' and scope_covers(p_scope, r, 'stripe');
end $$;
`;
