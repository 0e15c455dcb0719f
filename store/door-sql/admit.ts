/** authorize and claim: what has to hold before anything is sent (docs/effects.md, sections 2 to 5). */
const checks = `
-- null when the grant holds now; else the reason. Rules and signatures are the gateway's to verify again from
-- the stored bytes; here: the gate, its time by this clock, its list, and that each decision and key still stands.
create function door_grant(p jsonb, p_run runs, p_step plan_steps) returns text
language plpgsql volatile as $$
declare
  v_gate gates;
  v_decisions jsonb := coalesce(p->'decisions', '[]');
begin
  if p->>'gateId' is null then
    return case when p_step.tier = 'autonomous' then null else 'NO_GRANT' end;
  end if;
  select * into v_gate from gates g
   where g.gate_id = p->>'gateId' and g.run_id = p_run.run_id for share;
  if not found or not (p->>'digest' = any(v_gate.actions)) then return 'NO_GRANT'; end if;
  if v_gate.state = 'expired'
     or (v_gate.state = 'granted' and v_gate.expires_at <= countersign_now()) then
    return 'GATE_EXPIRED';
  end if;
  if v_gate.state <> 'granted' then return 'GATE_CLOSED'; end if;
  if /* guard:glass-expiry else false */ exists (select 1 from break_glasses b
       where b.gate_id = v_gate.gate_id and b.expires_at <= countersign_now()) /* end */ then
    return 'GATE_EXPIRED';
  end if;
  if jsonb_array_length(v_decisions) = 0 or exists (
       select 1 from jsonb_array_elements_text(v_decisions) d where not exists (
         select 1 from decisions r where r.digest = d and r.gate_id = v_gate.gate_id
            and r.accepted and r.decision = 'approve')) then
    return 'NO_GRANT';
  end if;
  if /* guard:key-revoked else false */ exists (
       select 1 from decisions r left join keys k on k.key_id = r.key_id
         left join persons h on h.person_id = r.person_id
        where r.digest in (select jsonb_array_elements_text(v_decisions))
          and (k.key_id is null or k.person_id <> r.person_id
               -- a retired key leaves standing what was accepted before
               or k.revoked_as = 'compromised' or k.revoked_at <= r.recorded_at
               or h.active is distinct from true)) /* end */ then
    return 'KEY_REVOKED';
  end if;
  return null;
end $$;

-- null when the grant is this effect's; a grant is used by effect id and digest, once each
create function door_use_grant(p jsonb) returns text language plpgsql volatile as $$
declare
  v_effect text;
begin
  if p->>'gateId' is null then return null; end if;
  insert into grant_uses (gate_id, action_digest, effect_id, used_at)
    values (p->>'gateId', p->>'digest', p->>'effectId', countersign_now())
    on conflict do nothing;
  select u.effect_id into v_effect from grant_uses u
   where u.gate_id = p->>'gateId' and u.action_digest = p->>'digest';
  return case when /* guard:grant-once else false */ v_effect <> p->>'effectId' /* end */
    then 'GRANT_USED' end;
end $$;

create function door_ordered(p_step plan_steps) returns boolean language plpgsql volatile as $$
begin
  return not exists (
    select 1 from plan_steps s
     where s.run_id = p_step.run_id and s.revision = p_step.revision and s.kind = 'act'
       and s.position < p_step.position and not exists (
         select 1 from effects e where e.run_id = s.run_id and e.step = s.step
            and e.kind = 'act' and e.state = 'succeeded'));
end $$;

-- The plan's word on this effect, and what does not fit it: '' fits.
create function door_planned(p jsonb, p_run runs, p_step plan_steps) returns text
language plpgsql volatile as $$
begin
  if p_step.step is null or p->>'effectId' is distinct from
     (select i.id from instance i) || '/' || p_run.run_id || '/' || p_step.step || '/act' then
    return 'NOT_PLANNED';
  end if;
  if p->>'digest' is distinct from p_step.digest
     or p->>'provider' is distinct from p_step.provider
     or (p->>'costMaxMinor')::bigint is distinct from p_step.cost_minor
     or p->>'currency' is distinct from p_run.currency then
    return 'DIGEST_MISMATCH';
  end if;
  if /* guard:policy-version else false */ (p->>'policyVersion')::int
     is distinct from (select max(o.version) from policies o) /* end */ then
    return 'POLICY_MOVED';
  end if;
  if p_run.operations >= p_run.operations_max then return 'OPERATIONS_USED_UP'; end if;
  return null;
end $$;

create function door_granted(p_effect text, p_now timestamptz) returns door_answer
language sql volatile as $$
  select row('granted', null, null, e.attempt, e.epoch, to_ms(e.send_by - p_now), null)::door_answer
    from effects e where e.effect_id = p_effect
$$;

-- The answer of the same call got lost: the same token gets the same grant, and nothing new, until send_by.
create function door_repeats(p jsonb, p_row effects, p_now timestamptz) returns boolean
language sql immutable as $$
  select coalesce(p_row.sender = p->>'sender' and p_row.state = 'claimed' and not p_row.settled
    and p_row.send_by > p_now and p_row.digest is not distinct from p->>'digest', false)
$$;
`;

const authorize = `
create function door_authorize(p jsonb) returns door_answer
language plpgsql volatile set plan_cache_mode to force_generic_plan as $$
declare
  v_now timestamptz;
  v_run runs;
  v_row effects;
  v_step plan_steps;
  v_reason text;
  v_window interval := from_ms((p->>'httpTimeoutMs')::bigint + 2000);
  v_attempt int := 1;
begin
  perform door_enter();
  select * into v_run from runs r where r.run_id = p->>'runId' for no key update;
  if not found then return door_refused(p, 'authorize', 'NO_RUN', 'no such run'); end if;
  v_now := countersign_now();
  if /* guard:fence-authorize else false */ door_fenced(v_run, p->>'provider') /* end */ then
    return door_refused(p, 'authorize', 'FENCED', 'a stop covers this run');
  end if;
  if /* guard:door-authorize else false */ v_run.door <> 'open' /* end */ then
    return door_refused(p, 'authorize', 'DOOR_CLOSED', 'the door of this run is ' || v_run.door);
  end if;
  select * into v_row from effects e where e.effect_id = p->>'effectId';
  if found then
    if door_repeats(p, v_row, v_now) then return door_granted(v_row.effect_id, v_now); end if;
    if v_row.digest is not distinct from p->>'digest' or v_row.state in ('closing', 'closed') then
      return row('exists', null, v_row.state, v_row.attempt, v_row.epoch, null, null)::door_answer;
    end if;
    if v_row.state = 'succeeded'
       or /* guard:takeover-failed else false */ v_row.state <> 'failed' /* end */ then
      return door_refused(p, 'authorize', 'DIGEST_MISMATCH',
        'the row is ' || v_row.state || ' under another action');
    end if;
    v_attempt := /* guard:takeover-counts else 1 */ v_row.attempt + 1 /* end */;
  end if;
  select * into v_step from plan_steps s where s.run_id = v_run.run_id
     and s.revision = v_run.plan_revision and s.step = p->>'step' and s.kind = 'act';
  v_reason := door_planned(p, v_run, v_step);
  if v_reason is null and /* guard:order else false */ not door_ordered(v_step) /* end */ then
    v_reason := 'OUT_OF_ORDER';
  end if;
  if v_reason is null then
    v_reason := (door_identity(v_run, v_step, (p->>'delegated')::boolean)).reason;
  end if;
  if v_reason is null then
    v_reason := /* guard:grant-authorize else null */ door_grant(p, v_run, v_step) /* end */;
  end if;
  v_reason := coalesce(v_reason, door_tearable(v_run, p->>'step'), door_use_grant(p));
  if v_reason is not null then return door_refused(p, 'authorize', v_reason, p->>'digest'); end if;
  perform door_draw(v_run.run_id, v_step.step, p->'caps', v_step.cost_minor, v_run.currency,
                    /* guard:month-authorize else false */ true /* end */);
  perform door_tear(v_run, v_step.step);
  insert into effects as e (effect_id, run_id, step, kind, state, digest, gate_id, policy_version,
      provider, keyed, epoch, attempt, sender, clean, send_by, settling_ms, key_since, settled,
      created_at)
    values (p->>'effectId', v_run.run_id, v_step.step, 'act', 'claimed', p->>'digest', p->>'gateId',
      (p->>'policyVersion')::int, p->>'provider', (p->>'keyed')::boolean, 0, v_attempt,
      p->>'sender', true, v_now + v_window, (p->>'settlingMs')::bigint, v_now, false, v_now)
    on conflict (effect_id) do update
      set state = 'claimed', digest = excluded.digest, gate_id = excluded.gate_id,
          policy_version = excluded.policy_version, epoch = e.epoch + 1,
          attempt = excluded.attempt, sender = excluded.sender, clean = e.state = 'failed',
          send_by = excluded.send_by, settling_ms = excluded.settling_ms,
          key_since = excluded.key_since, settled = false, settled_at = null, stored_error = null;
  return door_send(p, 'authorized', v_now);
end $$;

-- The end of authorize and claim: counted, logged, granted.
create function door_send(p jsonb, p_kind text, p_now timestamptz) returns door_answer
language plpgsql volatile as $$
declare
  v effects;
begin
  update runs r set operations = r.operations + 1 where r.run_id = p->>'runId';
  select * into v from effects e where e.effect_id = p->>'effectId';
  perform log_append(p_kind, v.run_id, jsonb_build_object('effect', v.effect_id,
    'digest', v.digest, 'gate', v.gate_id, 'attempt', v.attempt, 'epoch', v.epoch,
    'sendBy', v.send_by));
  return door_granted(v.effect_id, p_now);
end $$;
`;

const claim = `
create function door_claim(p jsonb) returns door_answer
language plpgsql volatile set plan_cache_mode to force_generic_plan as $$
declare
  v_now timestamptz;
  v_run runs;
  v_row effects;
  v_step plan_steps;
  v_reason text;
  v_window interval := from_ms((p->>'httpTimeoutMs')::bigint + 2000);
  v_bump boolean;
begin
  perform door_enter();
  select * into v_run from runs r where r.run_id = p->>'runId' for no key update;
  if not found then return door_refused(p, 'claim', 'NO_RUN', 'no such run'); end if;
  v_now := countersign_now();
  if /* guard:fence-claim else false */ door_fenced(v_run, p->>'provider') /* end */ then
    return door_refused(p, 'claim', 'FENCED', 'a stop covers this run');
  end if;
  if /* guard:door-claim else false */ v_run.door <> 'open' /* end */ then
    return door_refused(p, 'claim', 'DOOR_CLOSED', 'the door of this run is ' || v_run.door);
  end if;
  select * into v_row from effects e where e.effect_id = p->>'effectId';
  if not found then return door_refused(p, 'claim', 'NOT_PLANNED', 'nothing was authorized'); end if;
  if door_repeats(p, v_row, v_now) then return door_granted(v_row.effect_id, v_now); end if;
  if v_row.state in ('closing', 'closed') then
    return door_refused(p, 'claim', 'ROW_CLOSED', 'the row is ' || v_row.state);
  end if;
  if v_row.state = 'succeeded'
     or /* guard:attempt-token else false */
        v_row.attempt is distinct from (p->>'attempt')::int /* end */ then
    return row('exists', null, v_row.state, v_row.attempt, v_row.epoch, null, null)::door_answer;
  end if;
  if v_row.digest is distinct from p->>'digest' then
    return door_refused(p, 'claim', 'DIGEST_MISMATCH', 'the row stands under another action');
  end if;
  if /* guard:claim-wait else false */ not v_row.settled
     and v_now <= v_row.send_by + interval '5 seconds' /* end */ then
    return row('wait', null, 'another attempt may still send', v_row.attempt, v_row.epoch, null,
               to_ms(v_row.send_by + interval '5 seconds' - v_now) + 1)::door_answer;
  end if;
  v_bump := door_bumps(v_row, v_now);
  if v_bump is null then
    return row('wait', null, 'read back first', v_row.attempt, v_row.epoch, null,
               next_read_ms(v_row.effect_id))::door_answer;
  end if;
  select * into v_step from plan_steps s where s.run_id = v_run.run_id
     and s.revision = v_run.plan_revision and s.step = p->>'step' and s.kind = 'act';
  v_reason := door_planned(p, v_run, v_step);
  if v_reason is null and /* guard:order else false */ not door_ordered(v_step) /* end */ then
    v_reason := 'OUT_OF_ORDER';
  end if;
  if v_reason is null then
    v_reason := (door_identity(v_run, v_step, (p->>'delegated')::boolean)).reason;
  end if;
  if v_reason is null then
    v_reason := /* guard:grant-claim else null */ door_grant(p, v_run, v_step) /* end */;
  end if;
  v_reason := coalesce(v_reason, door_tearable(v_run, p->>'step'), door_use_grant(p));
  if v_reason is not null then return door_refused(p, 'claim', v_reason, p->>'digest'); end if;
  perform door_draw(v_run.run_id, v_step.step, p->'caps', v_step.cost_minor, v_run.currency,
                    /* guard:month-claim else false */ true /* end */);
  perform door_tear(v_run, v_step.step);
  update effects e
     set state = 'claimed', attempt = e.attempt + 1, sender = p->>'sender',
         clean = e.state = 'failed' or surely_absent(e.effect_id),
         epoch = e.epoch + case when v_bump then 1 else 0 end,
         stored_error = case when v_bump then null else e.stored_error end,
         key_since = case when v_bump then v_now
           else /* guard:key-since else v_now */ e.key_since /* end */ end,
         gate_id = p->>'gateId', policy_version = (p->>'policyVersion')::int,
         keyed = (p->>'keyed')::boolean, settling_ms = (p->>'settlingMs')::bigint,
         send_by = v_now + v_window, settled = false, settled_at = null
   where e.effect_id = v_row.effect_id;
  return door_send(p, 'claimed', v_now);
end $$;

-- May this row be sent again, and under which key? true: a new epoch; false: the same; null: not yet.
-- A failed row is sure: surely nothing was done, and nobody can send under it any more.
create function door_bumps(p_row effects, p_now timestamptz) returns boolean
language plpgsql volatile as $$
declare
  v_sure boolean := surely_absent(p_row.effect_id) or p_row.state = 'failed';
  v_read boolean := p_row.state = 'failed' or exists (
    select 1 from effect_reads r where r.effect_id = p_row.effect_id and not r.found
       and /* guard:reads-of-attempt else true */ r.attempt = p_row.attempt /* end */);
  v_old boolean := /* guard:key-age else false */
    p_now - p_row.key_since >= interval '23 hours' /* end */;
  v_again boolean;
  v_aged boolean;
begin
  if not p_row.keyed then
    return case when /* guard:surely-absent else v_read */ v_sure /* end */ then false end;
  end if;
  v_again := coalesce(p_row.stored_error = '500', false)
    and /* guard:500-absent else v_read */ v_sure /* end */;
  v_aged := v_old and /* guard:old-key-absent else v_read */ v_sure /* end */;
  if /* guard:epoch-rule else true */
     coalesce(p_row.stored_error = '402', false) or v_again or v_aged /* end */ then
    return true;
  end if;
  return case when v_read and not v_old and p_row.stored_error is null then false end;
end $$;
`;

export const admitSql = checks + authorize + claim;
