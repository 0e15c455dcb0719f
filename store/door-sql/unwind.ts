/** The ends of a run: completed, or unwound (docs/effects.md, section 6). */
const causes = `
-- Is this cause on record? A claim alone closes no door.
create function cause_holds(p_run runs, p jsonb) returns boolean language plpgsql volatile as $$
begin
  return case p->>'kind'
    when 'failure' then exists (select 1 from run_failures f
        where f.run_id = p_run.run_id and f.step = p->>'step')
      or exists (select 1 from effects e where e.run_id = p_run.run_id and e.step = p->>'step'
        and e.kind = 'act' and e.state = 'failed')
    when 'rejected' then exists (select 1 from gates g where g.gate_id = p->>'gateId'
        and g.run_id = p_run.run_id and g.state = 'rejected')
    when 'void' then exists (select 1 from gates g where g.gate_id = p->>'gateId'
        and g.run_id = p_run.run_id and g.state = 'void')
    when 'expired' then exists (select 1 from gates g where g.gate_id = p->>'gateId'
        and g.run_id = p_run.run_id and (g.state = 'expired'
          or (g.state in ('open', 'granted') and g.expires_at <= countersign_now())))
    when 'denied' then exists (select 1 from plans l where l.run_id = p_run.run_id
        and l.revision = p_run.plan_revision and l.denials > 0)
    when 'stopped' then exists (select 1 from fences s
        where (scope_covers(s.scope, p_run, '')
          or (s.scope like 'provider/%' and exists (select 1 from plan_steps t
            where t.run_id = p_run.run_id and t.revision = p_run.plan_revision
              and t.kind = 'act' and s.scope = 'provider/' || t.provider))))
    when 'resolved' then exists (select 1 from resolutions o where o.run_id = p_run.run_id
        and o.step = p->>'step' and o.accepted and o.action = 'give-up')
    when 'temporal' then exists (select 1 from temporal_ends t where t.run_id = p_run.run_id
        and t.status = p->>'status')
    else false end;
end $$;

create function door_close(p_run text, p_cause jsonb) returns void language plpgsql volatile as $$
declare
  v_run runs;
begin
  select * into v_run from runs r where r.run_id = p_run for no key update;
  if not found then
    raise exception 'no such run %', p_run using errcode = 'CS003';
  end if;
  if v_run.door = 'closed' then return; end if;
  if v_run.door = 'completed' then
    raise exception 'run % has completed: undoing it is a run of its own', p_run
      using errcode = 'CS003';
  end if;
  if /* guard:cause else false */ not cause_holds(v_run, p_cause) /* end */ then
    raise exception 'the record of run % does not bear out the cause %', p_run, p_cause
      using errcode = 'CS003';
  end if;
  update runs r
     set door = /* guard:closing-first else r.door */ 'closed' /* end */,
         door_cause = p_cause::text, door_at = countersign_now()
   where r.run_id = p_run;
  -- Nothing is done any more; what is taken back has tokens of its own.
  perform tokens_end(p_run, 'actions', 'the door was closed');
  perform log_append('door-closed', p_run, jsonb_build_object('cause', p_cause));
end $$;
`;

const undo = `
-- Before anything is read back: closing, or a tombstone where no row is. Nobody can claim it from now on.
create function door_mark_closing(p_run text, p_step text) returns void
language plpgsql volatile as $$
declare
  v_run runs;
  v_row effects;
  v_id text := (select i.id from instance i) || '/' || p_run || '/' || p_step || '/act';
begin
  select * into v_run from runs r where r.run_id = p_run for no key update;
  if not found
     or /* guard:closing-first else false */ v_run.door <> 'closed' /* end */ then
    raise exception 'the door of run % is not closed', p_run using errcode = 'CS003';
  end if;
  if not exists (select 1 from plan_steps s
       where s.run_id = p_run and s.step = p_step and s.kind = 'act') then
    raise exception 'run % never planned to do %', p_run, p_step using errcode = 'CS003';
  end if;
  select * into v_row from effects e where e.effect_id = v_id;
  if v_row.state in ('closing', 'closed') then return; end if;
  if v_row.effect_id is not null then
    update effects e set state = /* guard:row-closing else e.state */ 'closing' /* end */,
           refused = v_row.state = 'failed'
     where e.effect_id = v_id;
  elsif /* guard:tombstone else false */ true /* end */ then
    insert into effects (effect_id, run_id, step, kind, state, tombstone, created_at)
      values (v_id, p_run, p_step, 'act', 'closing', true, countersign_now());
  else
    return;
  end if;
  perform log_append('closing', p_run, jsonb_build_object('effect', v_id));
end $$;

-- May the undo row send? No grant and no fence: a closed door with its cause, and the settled object of one
-- forward row of this run. Reversals read first and are idempotent, so a settled attempt may be followed at once.
create function door_authorize_undo(p jsonb) returns door_answer language plpgsql volatile as $$
declare
  v_now timestamptz;
  v_run runs;
  v_act effects;
  v_row effects;
  v_base text := (select i.id from instance i) || '/' || (p->>'runId') || '/' || (p->>'step');
begin
  select * into v_run from runs r where r.run_id = p->>'runId' for no key update;
  if not found then return door_refused(p, 'undo', 'NO_RUN', 'no such run'); end if;
  v_now := countersign_now();
  if v_run.door_cause is null
     or /* guard:closing-first else false */ v_run.door <> 'closed' /* end */ then
    return door_refused(p, 'undo', 'NO_CAUSE', 'the door is ' || v_run.door);
  end if;
  select * into v_act from effects e where e.effect_id = v_base || '/act';
  if not found or v_act.object is null then
    return door_refused(p, 'undo', 'NO_CAUSE', 'no forward effect of this run is on record');
  end if;
  if v_act.state = 'closed'
     or /* guard:row-closing else false */ v_act.state <> 'closing' /* end */ then
    return door_refused(p, 'undo', 'ROW_CLOSED', 'the forward row is ' || v_act.state);
  end if;
  select * into v_row from effects e where e.effect_id = v_base || '/undo';
  if found and v_row.sender = p->>'sender' and v_row.state = 'claimed' and not v_row.settled
     and v_row.send_by > v_now then
    return door_granted(v_row.effect_id, v_now);
  end if;
  if found and not v_row.settled and v_now <= v_row.send_by + interval '5 seconds' then
    return row('wait', null, 'another attempt may still send', v_row.attempt, v_row.epoch, null,
               to_ms(v_row.send_by + interval '5 seconds' - v_now) + 1)::door_answer;
  end if;
  insert into effects as e (effect_id, run_id, step, kind, state, digest, provider, keyed, attempt,
      sender, send_by, settling_ms, key_since, settled, created_at)
    values (v_base || '/undo', v_run.run_id, v_act.step, 'undo', 'claimed', v_act.digest,
      v_act.provider, true, 1, p->>'sender',
      v_now + from_ms((p->>'httpTimeoutMs')::bigint + 2000), v_act.settling_ms, v_now, false, v_now)
    on conflict (effect_id) do update
      set state = 'claimed', attempt = e.attempt + 1, sender = excluded.sender,
          epoch = e.epoch + case when e.stored_error is not null
            or v_now - e.key_since >= interval '23 hours' then 1 else 0 end,
          key_since = case when e.stored_error is not null
            or v_now - e.key_since >= interval '23 hours' then v_now else e.key_since end,
          stored_error = null, send_by = excluded.send_by, settled = false, settled_at = null;
  perform log_append('undoing', v_run.run_id, jsonb_build_object('effect', v_base || '/undo',
    'object', v_act.object, 'cause', v_run.door_cause));
  return door_granted(v_base || '/undo', v_now);
end $$;
`;

const close = `
-- {runId, step, outcome, refundedMinor, residue: {minor, text}, caseText?}
create function door_close_row(p jsonb) returns text language plpgsql volatile as $$
declare
  v_run runs;
  v_row effects;
  v_outcome text := p->>'outcome';
  v_refunded bigint := coalesce((p->>'refundedMinor')::bigint, 0);
  v_base text := (select i.id from instance i) || '/' || (p->>'runId') || '/' || (p->>'step');
begin
  select * into v_run from runs r where r.run_id = p->>'runId' for no key update;
  if not found
     or /* guard:closing-first else false */ v_run.door <> 'closed' /* end */ then
    raise exception 'the door of run % is not closed', p->>'runId' using errcode = 'CS003';
  end if;
  select * into v_row from effects e where e.effect_id = v_base || '/act';
  if not found then
    if /* guard:tombstone else false */ true /* end */ then
      raise exception 'effect %/act was not marked closing', v_base using errcode = 'CS003';
    end if;
    return null;
  end if;
  if v_row.state = 'closed' then return null; end if;
  if /* guard:row-closing else false */ v_row.state <> 'closing' /* end */ then
    raise exception 'effect % was not marked closing', v_row.effect_id using errcode = 'CS003';
  end if;
  if v_refunded < 0
     or /* guard:undo-bounds else false */
        v_row.refunded_minor + v_refunded > v_row.captured_minor /* end */ then
    raise exception '% given back for %, which captured %', v_refunded, v_row.effect_id,
      v_row.captured_minor using errcode = 'CS004';
  end if;
  perform close_needs(v_row, v_outcome, v_base);
  perform months_lock(v_row);
  perform door_release(v_row.run_id, v_row.step);
  perform door_refund(v_row, v_refunded);
  if v_outcome in ('reversed', 'mitigated') then perform commitment_ends(v_row.effect_id); end if;
  update effects e
     set state = 'closed', outcome = v_outcome, refunded_minor = e.refunded_minor + v_refunded,
         residue_minor = (p->'residue'->>'minor')::bigint, residue_text = p->'residue'->>'text'
   where e.effect_id = v_row.effect_id;
  perform door_torn(v_row.effect_id);
  update effects e set state = 'succeeded', settled = true,
         settled_at = coalesce(e.settled_at, countersign_now())
   where e.effect_id = v_base || '/undo' and e.state <> 'closed'
     and v_outcome in ('reversed', 'mitigated');
  if p->>'caseText' is not null then
    perform open_case(v_row.run_id, v_row.effect_id, 'residue', p->>'caseText');
  end if;
  perform log_append('closed', v_row.run_id, jsonb_build_object('effect', v_row.effect_id,
    'outcome', v_outcome, 'refundedMinor', v_refunded, 'residue', p->'residue'));
  return v_outcome;
end $$;

-- What each way to close a row needs on record. Raises CS003, or CS005 where time will bring it.
create function close_needs(p_row effects, p_outcome text, p_base text) returns void
language plpgsql volatile as $$
begin
  if p_outcome = 'never-happened' then
    if p_row.object is not null then
      raise exception 'effect % made %', p_row.effect_id, p_row.object using errcode = 'CS003';
    end if;
    if /* guard:close-absent else false */ not p_row.refused
       and not surely_absent(p_row.effect_id) /* end */ then
      raise exception 'effect % is not surely absent yet', p_row.effect_id using errcode = 'CS005';
    end if;
  elsif p_outcome in ('reversed', 'mitigated') then
    if p_row.object is null or not exists (select 1 from effects e
         where e.effect_id = p_base || '/undo' and e.attempt >= 1) then
      raise exception 'effect % was not undone through the door', p_row.effect_id
        using errcode = 'CS003';
    end if;
  elsif not exists (select 1 from resolutions o where o.run_id = p_row.run_id
       and o.step = p_row.step and o.accepted
       and o.action = case p_outcome when 'given-up' then 'give-up' else p_outcome end) then
    raise exception 'nobody has signed that % is %', p_row.effect_id, p_outcome
      using errcode = 'CS003';
  end if;
end $$;

create function door_complete(p_run text) returns text language plpgsql volatile as $$
declare
  v_run runs;
begin
  select * into v_run from runs r where r.run_id = p_run for no key update;
  if not found then raise exception 'no such run %', p_run using errcode = 'CS003'; end if;
  if v_run.door = 'completed' then return 'completed'; end if;
  if /* guard:complete-door else false */ v_run.door <> 'open' /* end */ then
    return 'door-closed';
  end if;
  if v_run.plan_revision = 0 or exists (
       select 1 from plan_steps s where s.run_id = p_run and s.revision = v_run.plan_revision
          and s.kind = 'act' and not exists (select 1 from effects e where e.run_id = p_run
            and e.step = s.step and e.kind = 'act' and e.state = 'succeeded'))
     or exists (select 1 from effects e where e.run_id = p_run and e.kind = 'act'
          and e.state not in ('succeeded', 'failed')) then
    return 'not-all-succeeded';
  end if;
  update runs r
     set door = /* guard:complete-door else r.door */ 'completed' /* end */,
         door_at = countersign_now(), end_phase = 'completed', end_why = 'every effect succeeded',
         ended_at = countersign_now()
   where r.run_id = p_run;
  perform door_release(p_run, v.step) from reservations v
    where v.run_id = p_run and v.state = 'reserved';
  perform tokens_end(p_run, null, 'the run completed');
  perform log_append('completed', p_run, '{}');
  return 'completed';
end $$;

-- How a closed run has ended: by its rows, and by the cause that closed its door where they did nothing. Whoever
-- reaches Temporal can call the function, so nobody is asked.
create function door_end(p_run runs) returns text language plpgsql volatile as $$
declare
  v_cause jsonb := p_run.door_cause::jsonb;
begin
  if /* guard:derived-end else false */ exists (select 1 from effects e
       where e.run_id = p_run.run_id and e.kind = 'act'
         and e.outcome is distinct from 'never-happened') /* end */ then
    return 'reversed';
  end if;
  return case v_cause->>'kind'
    when 'rejected' then 'rejected'
    when 'expired' then 'expired'
    when 'denied' then 'denied'
    -- Denied at the effect: a stricter policy, or a cap used up since.
    when 'failure' then case when (select f.code from run_failures f
        where f.run_id = p_run.run_id and f.step = v_cause->>'step' order by f.id desc limit 1)
      in ('POLICY_DENIED', 'POLICY_MISSING', 'BUDGET_EXCEEDED') then 'denied' else 'reversed' end
    else 'reversed' end;
end $$;

create function door_finish(p_run text, p_why text) returns text
language plpgsql volatile as $$
declare
  v_run runs;
  v_end text;
begin
  select * into v_run from runs r where r.run_id = p_run for no key update;
  if not found then raise exception 'no such run %', p_run using errcode = 'CS003'; end if;
  if v_run.end_phase is not null and v_run.end_phase <> 'completed' then return 'finished'; end if;
  if /* guard:closing-first else false */ v_run.door <> 'closed' /* end */ then
    return 'door-open';
  end if;
  v_end := door_end(v_run);
  if exists (select 1 from effects e
       where e.run_id = p_run and e.kind = 'act' and e.state <> 'closed')
     or (v_end = 'reversed' and /* guard:tombstone else false */ exists (
       select 1 from plan_steps s where s.run_id = p_run and s.revision = v_run.plan_revision
          and s.kind = 'act' and not exists (select 1 from effects e where e.run_id = p_run
            and e.step = s.step and e.kind = 'act')) /* end */) then
    return 'not-all-closed';
  end if;
  perform door_release(p_run, v.step) from reservations v
    where v.run_id = p_run and v.state = 'reserved';
  update runs r set door = 'closed', end_phase = v_end, end_why = left(p_why, 2000),
         ended_at = countersign_now()
   where r.run_id = p_run and r.end_phase is null;
  perform tokens_end(p_run, null, 'the run ended');
  perform log_append('ended', p_run, jsonb_build_object('end', v_end, 'why', left(p_why, 2000)));
  return 'finished';
end $$;
`;

export const unwindSql = causes + undo + close;
