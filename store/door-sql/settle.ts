/** settle: what an answer proves (docs/effects.md, section 2). */
const settle = `
create function door_settle(p jsonb) returns text language plpgsql volatile as $$
declare
  v_row effects;
  v_case text;
  v_run text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'the door needs READ COMMITTED' using errcode = 'CS001';
  end if;
  select e.run_id into v_run from effects e where e.effect_id = p->>'effectId';
  if not found then
    raise exception 'effect % has no row to settle', p->>'effectId' using errcode = 'CS003';
  end if;
  perform 1 from runs r where r.run_id = v_run for no key update;
  select * into v_row from effects e where e.effect_id = p->>'effectId';
  if p->>'outcome' = 'succeeded' then
    if p->>'object' is null then
      raise exception 'a success of % names no object', v_row.effect_id using errcode = 'CS004';
    end if;
    v_case := door_settle_success(p, v_row);
  else
    perform door_settle_failure(p, v_row);
  end if;
  perform log_append('settled', v_run, jsonb_build_object('effect', v_row.effect_id,
    'attempt', p->'attempt', 'outcome', p->'outcome', 'object', p->'object',
    'capturedMinor', p->'capturedMinor', 'evidence', p->'evidence', 'case', v_case,
    'state', (select e.state from effects e where e.effect_id = v_row.effect_id)));
  return v_case;
end $$;

-- The same, and the row as it stands then.
create function door_settled(p jsonb) returns table (
  opened text, effect_id text, run_id text, step text, kind text, state text, digest text, epoch int,
  attempt int, settled boolean, send_by_in_ms bigint, object text, fields jsonb,
  captured_minor bigint, refunded_minor bigint, stored_error text, key_age_ms bigint,
  surely_absent boolean, tombstone boolean, outcome text
) language plpgsql volatile set plan_cache_mode to force_generic_plan as $$
declare
  v_case text := door_settle(p);
begin
  return query select v_case, r.* from door_rows(null, p->>'effectId') r;
end $$;

-- Counts whoever brings it. The same object again changes nothing.
create function door_settle_success(p jsonb, p_row effects) returns text
language plpgsql volatile as $$
declare
  v_captured bigint := coalesce((p->>'capturedMinor')::bigint, 0);
  v_case text;
begin
  if p_row.object = p->>'object' then
    update effects e
       set settled = true, settled_at = coalesce(e.settled_at, countersign_now()),
           state = case when e.kind = 'undo' and e.state <> 'closed' then 'succeeded'
             else e.state end
     where e.effect_id = p_row.effect_id;
    return null;
  end if;
  if p_row.object is not null then
    return open_case(p_row.run_id, p_row.effect_id, 'double', format(
      'a second object %s beside %s', p->>'object', p_row.object));
  end if;
  if p_row.state in ('failed', 'closed') then
    perform fence_insert('run/' || p_row.run_id, 'an object where none should be', 'door', true);
    return open_case(p_row.run_id, p_row.effect_id, 'late-success', format(
      'object %s turned up on a row that is %s', p->>'object', p_row.state));
  end if;
  if p_row.state = 'closing' and p_row.kind = 'act'
     and (p->>'foundBy' is distinct from 'unwinder' or p_row.tombstone) then
    v_case := open_case(p_row.run_id, p_row.effect_id, 'late-success', format(
      'object %s turned up while the run was being unwound; it is reversed too', p->>'object'));
  end if;
  perform torn_months_lock(p_row);
  update effects e
     set state = case when e.state = 'closing' then 'closing' else 'succeeded' end,
         settled = true, settled_at = countersign_now(), object = p->>'object',
         fields = coalesce(p->'fields', '{}'), captured_minor = v_captured,
         evidence = coalesce(p->'evidence', '{}')
   where e.effect_id = p_row.effect_id;
  if p_row.kind = 'act'
     and (p_row.state <> 'closing' or /* guard:capture-found else false */ true /* end */) then
    v_case := coalesce(door_capture(p_row.effect_id, v_captured), v_case);
  end if;
  perform door_torn(p_row.effect_id);
  return v_case;
end $$;

-- Counts only from the attempt that holds the row. A refusal that the provider does not keep proves nothing
-- of what an earlier attempt did, unless that one is known to have done nothing ("clean").
create function door_settle_failure(p jsonb, p_row effects) returns void
language plpgsql volatile as $$
declare
  v_mine boolean := /* guard:settle-token else true */
    (p->>'attempt')::int = p_row.attempt /* end */;
  v_final boolean := p->>'outcome' = 'stored-final'
    or (p->>'outcome' = 'unstored-refusal'
        and /* guard:unstored-refusal else true */ p_row.clean /* end */);
begin
  if not v_mine then return; end if;
  if v_final and p_row.state in ('claimed', 'unknown', 'failed') then
    update effects e
       set state = 'failed', settled = true, settled_at = countersign_now(),
           stored_error = case when p->>'outcome' = 'stored-final' then '402'
             else e.stored_error end,
           evidence = coalesce(p->'evidence', '{}')
     where e.effect_id = p_row.effect_id;
    if p_row.kind = 'act' then perform door_release(p_row.run_id, p_row.step); end if;
    perform door_torn(p_row.effect_id);
    return;
  end if;
  update effects e
     set state = case when e.state = 'claimed' then 'unknown' else e.state end,
         settled = true, settled_at = countersign_now(),
         stored_error = case when p->>'outcome' = 'stored-500'
             and e.state in ('claimed', 'unknown', 'failed') then '500' else e.stored_error end,
         evidence = coalesce(p->'evidence', '{}')
   where e.effect_id = p_row.effect_id;
end $$;

-- Surely absent, and nobody can send again under this attempt.
create function door_fail_absent(p_effect text, p_attempt int) returns boolean
language plpgsql volatile as $$
declare
  v_row effects;
begin
  perform 1 from runs r join effects e on e.run_id = r.run_id
    where e.effect_id = p_effect for no key update of r;
  select * into v_row from effects e where e.effect_id = p_effect;
  if not found or v_row.kind <> 'act' or v_row.state not in ('claimed', 'unknown')
     or /* guard:attempt-token else false */ v_row.attempt <> p_attempt /* end */
     or not surely_absent(p_effect) then
    return false;
  end if;
  update effects e set state = 'failed', settled = true, settled_at = countersign_now()
   where e.effect_id = p_effect;
  perform door_release(v_row.run_id, v_row.step);
  perform door_torn(p_effect);
  perform log_append('failed', v_row.run_id, jsonb_build_object('effect', p_effect,
    'attempt', p_attempt, 'why', 'surely absent'));
  return true;
end $$;
`;

export const settleSql = settle;
