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
-- one that holds, never the other way round.
create function door_stop(p_scope text, p_reason text, p_by text, p_proven boolean, p_mode text)
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
    if p_mode = 'unwind' then
      update stops s set mode = 'unwind' where s.stop_id = v_stop and s.mode = 'hold';
    end if;
    return v_stop;
  end if;
  v_stop := fence_insert(p_scope, p_reason, p_by, p_proven, p_mode);
  perform notice_add('stopped', 'stopped:' || v_stop,
    case when p_scope like 'run/%' then substr(p_scope, 5) end,
    jsonb_build_object('stop', v_stop, 'scope', p_scope, 'mode', p_mode, 'proven', p_proven)
      || case when p_proven then jsonb_build_object('by', p_by) else '{}' end);
  perform log_append('stopped', case when p_scope like 'run/%' then substr(p_scope, 5) end,
    jsonb_build_object('scope', p_scope, 'reason', p_reason, 'by', p_by, 'proven', p_proven,
      'mode', p_mode));
  return v_stop;
end $$;

-- A signed statement lifts a fence once: the same one again, after a later stop, lifts nothing.
create function door_resume(p_scope text, p_by text, p_statement text) returns boolean
language plpgsql volatile as $$
declare
  v_stop bigint;
begin
  perform pg_advisory_xact_lock(7001);
  if /* guard:resume-once else false */
     exists (select 1 from stops s where s.lifted_statement = p_statement) /* end */ then
    return false;
  end if;
  select f.stop_id into v_stop from fences f where f.scope = p_scope;
  if not found then return false; end if;
  delete from fences f where f.scope = p_scope;
  update stops s set lifted_at = countersign_now(), lifted_by = p_by, lifted_statement = p_statement
   where s.stop_id = v_stop;
  perform notice_add('resumed', 'resumed:' || v_stop,
    case when p_scope like 'run/%' then substr(p_scope, 5) end,
    jsonb_build_object('stop', v_stop, 'scope', p_scope, 'by', p_by));
  perform log_append('resumed', case when p_scope like 'run/%' then substr(p_scope, 5) end,
    jsonb_build_object('scope', p_scope, 'by', p_by, 'statement', p_statement));
  return true;
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
