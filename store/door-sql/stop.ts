/** The fence (docs/effects.md, section 3): taken exclusively by stop and resume, shared by every authorizer. */
export const stopSql = `
create function fence_insert(p_scope text, p_reason text, p_by text, p_proven boolean,
  p_mode text default 'unwind')
returns bigint language plpgsql volatile as $$
declare
  v_stop bigint;
begin
  select f.stop_id into v_stop from fences f where f.scope = p_scope;
  if found then return v_stop; end if;
  insert into stops (scope, reason, stopped_by, proven, mode, fenced_at)
    values (p_scope, left(p_reason, 2000), p_by, p_proven, p_mode, countersign_now())
    returning stop_id into v_stop;
  -- a run's own fence may be set by two at once: an overshoot holds the run's row, a stop the fence's lock
  insert into fences (scope, stop_id) values (p_scope, v_stop) on conflict do nothing;
  insert into stop_wire (stop_id, effect_id, attempt, send_by, settling_ms)
    select v_stop, e.effect_id, e.attempt, e.send_by, e.settling_ms
      from effects e join runs r on r.run_id = e.run_id
     where e.kind = 'act' and e.attempt > 0
       and e.send_by > countersign_now() - interval '1 day' and scope_covers(p_scope, r, e.provider)
       and wire_ends(e.effect_id, e.attempt, e.send_by, e.settling_ms) > countersign_now();
  perform tokens_stop(p_scope);
  return v_stop;
end $$;

-- May this attempt still send? A sender that was held up since it was let through asks again. Takes no lock: a stop
-- that has committed is seen, and one that commits meanwhile lists the attempt as on the wire.
create function door_still(p_effect text, p_attempt int) returns boolean
language plpgsql volatile as $$
declare
  v_row effects;
  v_run runs;
begin
  select * into v_row from effects e where e.effect_id = p_effect;
  select * into v_run from runs r where r.run_id = v_row.run_id;
  return coalesce(v_row.state = 'claimed' and v_row.attempt = p_attempt and not v_row.settled
    and v_run.door = 'open'
    and not /* guard:fence-still else false */ door_fenced(v_run, v_row.provider) /* end */, false);
end $$;

-- When can nothing more happen by this attempt? Settled with a known outcome: then; else past send_by plus the
-- settling time.
create function wire_ends(p_effect text, p_attempt int, p_send_by timestamptz, p_settling_ms bigint)
returns timestamptz language plpgsql volatile as $$
declare
  v effects;
begin
  select * into v from effects e where e.effect_id = p_effect;
  if v.attempt = p_attempt and v.settled
     and /* guard:drained-known else true */ v.state in ('succeeded', 'failed') /* end */ then
    return least(v.settled_at, p_send_by + from_ms(p_settling_ms));
  end if;
  return p_send_by
    + from_ms(/* guard:drained-settling else 0 */ p_settling_ms /* end */);
end $$;

-- A first stop over a scope stands until it is lifted; another one answers the same record. One that unwinds overrules
-- one that holds, never the other way round. p_off: layers that a test leaves out, never in production.
create function door_stop(p_scope text, p_reason text, p_by text, p_proven boolean, p_mode text,
  p_off text[] default '{}', p_pauses boolean default false)
returns bigint language plpgsql volatile as $$
declare
  v_stop bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'the door needs READ COMMITTED' using errcode = 'CS001';
  end if;
  perform pg_advisory_xact_lock(7001);
  select f.stop_id into v_stop from fences f where f.scope = p_scope;
  if found then
    -- What was said towards lifting it was said before this.
    update stops s set pressed_at = countersign_now() where s.stop_id = v_stop;
    if p_mode = 'unwind' then
      update stops s set mode = 'unwind' where s.stop_id = v_stop and s.mode = 'hold';
    end if;
  else
    v_stop := fence_insert(p_scope, p_reason, p_by, p_proven, p_mode);
    perform notice_add('stopped', 'stopped:' || v_stop,
      case when p_scope like 'run/%' then substr(p_scope, 5) end,
      jsonb_build_object('stop', v_stop, 'scope', p_scope, 'mode', p_mode, 'proven', p_proven)
        || case when p_proven then jsonb_build_object('by', p_by) else '{}' end);
    perform log_append('stopped', case when p_scope like 'run/%' then substr(p_scope, 5) end,
      jsonb_build_object('scope', p_scope, 'reason', p_reason, 'by', p_by, 'proven', p_proven,
        'mode', p_mode));
  end if;
  perform stop_layers_set(v_stop, p_off, p_pauses);
  return v_stop;
end $$;

-- The layers beside the fence, each by itself: whatever one of them fails to do, the others hold.
create function stop_layers_set(p_stop bigint, p_off text[], p_pauses boolean) returns void
language plpgsql volatile as $$
declare
  v_off text[] := case when (select i.mode from instance i) = 'embedded' then p_off else '{}' end;
  v_scope text;
begin
  -- Asked for with the stop, or of one that stands already.
  select s.scope into v_scope from stops s where s.stop_id = p_stop and s.pauses_at is null;
  if found and p_pauses then
    perform log_append('subscriptions-to-pause',
      case when v_scope like 'run/%' then substr(v_scope, 5) end,
      jsonb_build_object('scope', v_scope, 'stop', p_stop));
  end if;
  update stops s
     set identity_at = case when 'identity' = any(v_off) then s.identity_at
           else coalesce(s.identity_at, countersign_now()) end,
         payment_at = case when 'payment' = any(v_off) then s.payment_at
           else coalesce(s.payment_at, countersign_now()) end,
         pauses_at = case when p_pauses and not 'payment' = any(v_off)
           then coalesce(s.pauses_at, countersign_now()) else s.pauses_at end
   where s.stop_id = p_stop;
  if 'gateway' = any(v_off) then delete from fences f where f.stop_id = p_stop; end if;
end $$;

-- Suspended by a stop, whatever the register says of it: lifted, the agent is what it was.
create function agent_stopped(p_agent text) returns boolean language plpgsql volatile as $$
begin
  return exists (select 1 from stops s where s.lifted_at is null and s.identity_at is not null
    and s.scope in ('all', 'agent/' || p_agent));
end $$;

-- Is nothing to be reserved for this run, whatever its caps say?
create function budget_stopped(p_run text, p_step text) returns text language plpgsql volatile as $$
declare
  v_scope text;
begin
  select s.scope into v_scope from runs r
    join stops s on s.lifted_at is null and s.payment_at is not null
   where r.run_id = p_run and scope_covers(s.scope, r, coalesce((
     select l.provider from plan_steps l where l.run_id = p_run and l.step = p_step
        and l.revision = r.plan_revision), ''))
   order by s.stop_id limit 1;
  return v_scope;
end $$;

-- What stands of the last stop over a scope, as it reads back: a layer that does not stand has no time.
create function door_layers(p_scope text) returns table (
  fenced_at timestamptz, identity_at timestamptz, payment_at timestamptz, agents bigint, tokens bigint,
  pauses_at timestamptz, subscriptions bigint, unpaused bigint, paused_at timestamptz
) language plpgsql volatile as $$
#variable_conflict use_column
begin
  return query
    select case when exists (select 1 from fences f where f.stop_id = s.stop_id)
             then s.fenced_at end, s.identity_at, s.payment_at,
           (select count(*) from agents a where p_scope in ('all', 'agent/' || a.agent_id)),
           (select count(*) from provider_tokens t join runs r on r.run_id = t.run_id
             where t.class = 'actions' and t.state <> 'revoked'
               and scope_covers(p_scope, r, 'cloudflare')),
           s.pauses_at, u.subscriptions, u.unpaused, u.paused_at
      from stops s, pauses_under(p_scope) u where s.scope = p_scope and s.lifted_at is null
     order by s.stop_id desc limit 1;
end $$;

-- A signed statement lifts a stop once, all of its layers: the same one again, after a later stop, lifts nothing. Its
-- signature cannot be checked here: the message stays beside the stop, and whoever sends verifies it (gateway/lifts.ts).
-- p_stop: the stop whose words were counted; another one over the same scope stays.
create function door_resume(p_scope text, p_by text, p_statement text, p_message text default null,
  p_stop bigint default null)
returns boolean language plpgsql volatile as $$
declare
  v_stop bigint;
begin
  perform pg_advisory_xact_lock(7001);
  if /* guard:resume-once else false */
     exists (select 1 from stops s where s.lifted_statement = p_statement) /* end */ then
    return false;
  end if;
  select f.stop_id into v_stop from fences f where f.scope = p_scope;
  if not found then
    -- a stop whose fence was left out by a test still has layers to lift
    select s.stop_id into v_stop from stops s
     where s.scope = p_scope and s.lifted_at is null
       and coalesce(s.identity_at, s.payment_at, s.pauses_at) is not null
     order by s.stop_id desc limit 1;
    if not found then return false; end if;
  end if;
  if v_stop <> p_stop then return false; end if;
  delete from fences f where f.scope = p_scope;
  update stops s set lifted_at = countersign_now(), lifted_by = p_by,
         lifted_statement = case when s.stop_id = v_stop then p_statement end,
         lifted_message = p_message, lifted_policy = (select max(o.version) from policies o)
   where s.stop_id = v_stop or (s.scope = p_scope and s.lifted_at is null);
  perform notice_add('resumed', 'resumed:' || v_stop,
    case when p_scope like 'run/%' then substr(p_scope, 5) end,
    jsonb_build_object('stop', v_stop, 'scope', p_scope, 'by', p_by));
  perform log_append('resumed', case when p_scope like 'run/%' then substr(p_scope, 5) end,
    jsonb_build_object('scope', p_scope, 'by', p_by, 'statement', p_statement));
  return true;
end $$;

-- The last stop over each scope that an effect of this run at this provider lies in, where it was lifted.
create function stop_lifts(p_run text, p_provider text) returns table (
  stop_id bigint, scope text, mode text, fenced_at timestamptz, lifted_at timestamptz,
  statement text, message text, policy_version int, lost_keys bigint
) language plpgsql volatile set plan_cache_mode to force_generic_plan as $$
#variable_conflict use_column
begin
  return query
    select l.stop_id, l.scope, l.mode, coalesce(l.pressed_at, l.fenced_at), l.lifted_at, l.lifted_statement,
           l.lifted_message, l.lifted_policy,
           (select count(*) from keys k where k.compromised_since is not null)
      from runs r
      cross join lateral unnest(array['all', 'run/' || r.run_id, 'agent/' || r.agent,
        'principal/' || r.principal, 'provider/' || p_provider]) as c(scope)
      cross join lateral (select s.* from stops s where s.scope = c.scope
                           order by s.stop_id desc limit 1) l
     where r.run_id = p_run and l.lifted_at is not null and not l.lifted_before;
end $$;

-- The last stop over a scope: fenced at, drained at, and what may still happen.
create function door_drained(p_scope text) returns table (
  fenced_at timestamptz, drained_at timestamptz, effect_id text, ends_in_ms bigint
) language plpgsql volatile as $$
#variable_conflict use_column
declare
  v_stop stops;
  v_now timestamptz := countersign_now();
  v_last timestamptz;
begin
  select * into v_stop from stops s where s.scope = p_scope order by s.stop_id desc limit 1;
  if not found then return; end if;
  select max(wire_ends(w.effect_id, w.attempt, w.send_by, w.settling_ms)) into v_last
    from stop_wire w where w.stop_id = v_stop.stop_id;
  v_last := greatest(v_stop.fenced_at, coalesce(v_last, v_stop.fenced_at));
  if v_stop.drained_at is null and v_last <= v_now then
    update stops s set drained_at = v_last where s.stop_id = v_stop.stop_id;
    v_stop.drained_at := v_last;
  end if;
  return query select v_stop.fenced_at, v_stop.drained_at, null::text, null::bigint;
  return query
    select v_stop.fenced_at, v_stop.drained_at, w.effect_id,
           to_ms(wire_ends(w.effect_id, w.attempt, w.send_by, w.settling_ms) - v_now)
      from stop_wire w
     where w.stop_id = v_stop.stop_id
       and wire_ends(w.effect_id, w.attempt, w.send_by, w.settling_ms) > v_now
     order by w.effect_id;
end $$;
`;
