/** A teardown marks what it takes down before anything is sent, and says when it is gone (docs/effects.md). */
export const teardownSql = `
-- The effect that this run's step takes down; null: the run takes nothing down.
create function torn_effect(p_run runs, p_step text) returns text language sql volatile as $$
  select (select i.id from instance i) || '/' || p_run.tears_down || '/' || p_step || '/act'
$$;

-- null when this run may take the step's effect down: it stands, of a completed run, and nobody else has marked it.
create function door_tearable(p_run runs, p_step text) returns text language plpgsql volatile as $$
begin
  if p_run.tears_down is null then return null; end if;
  return case when /* guard:tear-standing else true */ exists (
    select 1 from effects e join runs r on r.run_id = e.run_id
     where e.effect_id = torn_effect(p_run, p_step) and e.kind = 'act' and e.state = 'succeeded'
       and r.door = 'completed' and coalesce(e.torn_by, p_run.run_id) = p_run.run_id) /* end */
    then null else 'NOT_STANDING' end;
end $$;

-- Whoever plans to count upon it holds its row meanwhile: one of the two sees the other.
create function door_tear(p_run runs, p_step text) returns void language plpgsql volatile as $$
begin
  if p_run.tears_down is null then return; end if;
  /* guard:torn-mark else null */ update effects e set torn_by = p_run.run_id
   where e.effect_id = torn_effect(p_run, p_step) and e.torn_by is null /* end */;
end $$;

-- Before any balance of what renews and is about to be gone.
create function torn_months_lock(p_row effects) returns void language plpgsql volatile as $$
declare
  v_run runs;
  v_torn effects;
begin
  select * into v_run from runs r where r.run_id = p_row.run_id;
  if v_run.tears_down is null or p_row.kind <> 'act' then return; end if;
  select * into v_torn from effects e where e.effect_id = torn_effect(v_run, p_row.step);
  perform months_lock(v_torn);
end $$;

-- After each settlement of a row that takes something down: gone, or surely untouched and free again.
create function door_torn(p_effect text) returns void language plpgsql volatile as $$
declare
  v effects;
  v_run runs;
begin
  select * into v from effects e where e.effect_id = p_effect;
  select * into v_run from runs r where r.run_id = v.run_id;
  if v_run.tears_down is null or v.kind <> 'act' then return; end if;
  if v.object is not null then
    update effects e set torn_by = v.run_id, torn_at = countersign_now()
     where e.effect_id = torn_effect(v_run, v.step) and e.torn_at is null;
    if found and /* guard:torn-commitment else false */ true /* end */ then
      perform commitment_ends(torn_effect(v_run, v.step));
    end if;
  elsif v.state = 'failed' or v.outcome = 'never-happened' then
    update effects e set torn_by = null
     where e.effect_id = torn_effect(v_run, v.step) and e.torn_by = v.run_id and e.torn_at is null;
  end if;
end $$;
`;
