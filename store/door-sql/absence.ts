/**
 * Surely absent: two reads by get or list at different moments, each begun later than send_by plus the
 * provider's settling time, of the very attempt that holds the row, none of which found it.
 */
export const absenceSql = `
-- How far apart two reads must lie: a tenth of the settling time, between 0.5 s and 10 s.
create function reads_apart(p_settling_ms bigint) returns interval language sql immutable as $$
  select from_ms(least(10000, greatest(500, p_settling_ms / 10)))
$$;

create function surely_absent(p_effect text) returns boolean language plpgsql volatile as $$
declare
  v effects;
  v_from timestamptz;
  v_reads int;
  v_found boolean;
  v_span interval;
  v_apart boolean;
begin
  select * into v from effects e where e.effect_id = p_effect;
  if not found or v.object is not null then return false; end if;
  if v.attempt = 0 then return v.tombstone; end if;
  v_from := v.send_by + from_ms(v.settling_ms);
  select count(*), coalesce(bool_or(r.found), false), max(r.begun_at) - min(r.begun_at)
    into v_reads, v_found, v_span
    from effect_reads r
   where r.effect_id = p_effect and r.ended_at is not null
     and /* guard:reads-of-attempt else true */ r.attempt = v.attempt /* end */
     and (v.state = 'closing' or /* guard:settling-wait else true */ r.begun_at > v_from /* end */)
     and (v.state <> 'closing' or /* guard:unwind-wait else true */ r.begun_at > v_from /* end */);
  if v_found then return false; end if;
  v_apart := /* guard:reads-apart else true */ v_span >= reads_apart(v.settling_ms) /* end */;
  return /* guard:double-read else v_reads >= 1 */ v_reads >= 2 and v_apart /* end */;
end $$;

-- ms until the next read can count; 0: now
create function next_read_ms(p_effect text) returns bigint language plpgsql volatile as $$
declare
  v effects;
  v_from timestamptz;
  v_first timestamptz;
begin
  select * into v from effects e where e.effect_id = p_effect;
  if not found or v.attempt = 0 then return 0; end if;
  v_from := v.send_by + from_ms(v.settling_ms);
  select min(r.begun_at) into v_first from effect_reads r
   where r.effect_id = p_effect and r.attempt = v.attempt and r.ended_at is not null
     and not r.found and r.begun_at > v_from;
  return greatest(0, to_ms(greatest(v_from, coalesce(v_first + reads_apart(v.settling_ms), v_from))
    - countersign_now()) + 1);
end $$;

-- The moment of a read is taken before the provider is asked: a reader may stall between question and report.
create function door_start_read(p_effect text) returns table (read_id bigint, attempt int)
language plpgsql volatile as $$
#variable_conflict use_column
begin
  return query
    insert into effect_reads as r (effect_id, attempt, begun_at)
    select e.effect_id, e.attempt, countersign_now() from effects e where e.effect_id = p_effect
    returning r.id, r.attempt;
end $$;

create function door_record_read(p_read bigint, p_found boolean)
returns table (surely_absent boolean, next_read_ms bigint) language plpgsql volatile as $$
declare
  v_effect text;
begin
  update effect_reads r set ended_at = countersign_now(), found = p_found
   where r.id = p_read and r.ended_at is null returning r.effect_id into v_effect;
  if v_effect is null then
    select r.effect_id into v_effect from effect_reads r where r.id = p_read;
  end if;
  return query select surely_absent(v_effect), next_read_ms(v_effect);
end $$;

-- The row as callers see it: ages instead of instants, since no two clocks are compared.
create function door_rows(p_run text, p_effect text) returns table (
  effect_id text, run_id text, step text, kind text, state text, digest text, epoch int, attempt int,
  settled boolean, send_by_in_ms bigint, object text, fields jsonb, captured_minor bigint,
  refunded_minor bigint, stored_error text, key_age_ms bigint, surely_absent boolean,
  tombstone boolean, outcome text
) language plpgsql volatile set plan_cache_mode to force_generic_plan as $$
#variable_conflict use_column
declare
  v_now timestamptz := countersign_now();
begin
  return query
    select e.effect_id, e.run_id, e.step, e.kind, e.state, e.digest, e.epoch, e.attempt, e.settled,
           to_ms(e.send_by - v_now), e.object, e.fields, e.captured_minor, e.refunded_minor,
           e.stored_error, to_ms(v_now - e.key_since),
           e.object is null and surely_absent(e.effect_id), e.tombstone,
           e.outcome
      from effects e
     -- By the run always: one plan for both questions, and an index for it.
     where e.run_id = coalesce(p_run,
             (select x.run_id from effects x where x.effect_id = p_effect))
       and (p_effect is null or e.effect_id = p_effect)
     order by e.created_at, e.effect_id;
end $$;
`;
