/**
 * Minting and revoking tokens at a provider (docs/effects.md): a mint passes the rules of the effect that needs the
 * token; a stop, a closed door and the end of a run make its tokens due in the same transaction.
 */
const mint = `
create function token_refused(p jsonb, p_reason text, p_detail text) returns jsonb
language plpgsql volatile as $$
begin
  perform log_refusal(p->>'runId', 'mint ' || coalesce(p->>'purpose', ''), p_reason, p_detail);
  return jsonb_build_object('verdict', 'refused', 'reason', p_reason, 'detail', p_detail);
end $$;

-- null: a token for this very action may be made. The grant is looked at and not used: that is the effect's.
create function token_action(p jsonb, p_run runs) returns text language plpgsql volatile as $$
declare
  v_step plan_steps;
  v_reason text;
begin
  if /* guard:fence-mint else false */ door_fenced(p_run, p->>'provider') /* end */ then
    return 'FENCED';
  end if;
  if /* guard:door-mint else false */ p_run.door <> 'open' /* end */ then
    return 'DOOR_CLOSED';
  end if;
  select * into v_step from plan_steps s where s.run_id = p_run.run_id
     and s.revision = p_run.plan_revision and s.step = p->>'step' and s.kind = 'act';
  v_reason := door_planned(p, p_run, v_step);
  if v_reason is null and not door_ordered(v_step) then v_reason := 'OUT_OF_ORDER'; end if;
  if v_reason is null then v_reason := (door_identity(p_run, v_step, (p->>'delegated')::boolean)).reason; end if;
  return coalesce(v_reason,
    /* guard:grant-mint else null */ door_grant(p, p_run, v_step) /* end */);
end $$;

-- A reversal's own token needs what the reversal needs: a closed door with its cause, and a row that is closing.
create function token_reversal(p jsonb, p_run runs) returns text language plpgsql volatile as $$
begin
  if p_run.door <> 'closed' or p_run.door_cause is null
     or not exists (select 1 from effects e where e.run_id = p_run.run_id and e.step = p->>'step'
       and e.kind = 'act' and e.state = 'closing' and e.object is not null) then
    return /* guard:cause-mint else null */ 'NO_CAUSE' /* end */;
  end if;
  return null;
end $$;

create function token_mint(p jsonb) returns jsonb language plpgsql volatile as $$
declare
  v_now timestamptz;
  v_run runs;
  v_reason text;
  v_wait bigint;
  v_id text := gen_random_uuid()::text;
  v_send_by timestamptz;
  v_expires timestamptz;
  v_name text;
begin
  perform door_enter();
  select * into v_run from runs r where r.run_id = p->>'runId' for no key update;
  if not found then return token_refused(p, 'NO_RUN', 'no such run'); end if;
  v_now := countersign_now();
  v_reason := case when p->>'class' = 'compensations' then token_reversal(p, v_run)
    else token_action(p, v_run) end;
  if v_reason is not null then
    return token_refused(p, v_reason, 'no token for ' || (p->>'step'));
  end if;
  select max(to_ms(t.send_by - v_now)) into v_wait from provider_tokens t
   where t.run_id = v_run.run_id and t.class = p->>'class' and t.purpose = p->>'purpose'
     and t.account = p->>'account' and t.zone = p->>'zone' and t.state = 'minting'
     and t.sender <> p->>'sender' and t.send_by > v_now;
  if v_wait is not null then
    return jsonb_build_object('verdict', 'wait', 'waitMs', v_wait + 1);
  end if;
  v_send_by := v_now + from_ms((p->>'httpTimeoutMs')::bigint + 2000);
  -- Another sender was quicker: a second token would rotate the one that it is sending with from under it.
  if /* guard:mint-twice else false */ exists (select 1 from provider_tokens t
       where t.run_id = v_run.run_id and t.class = p->>'class' and t.purpose = p->>'purpose'
         and t.account = p->>'account' and t.zone = p->>'zone' and t.state = 'live'
         and t.expires_at - v_now > 2 * (v_send_by - v_now)) /* end */ then
    return jsonb_build_object('verdict', 'wait', 'waitMs', 1);
  end if;
  v_expires := date_trunc('second', v_now + from_ms(
    /* guard:token-expiry else (p->>'lifeMs')::bigint */ least((p->>'lifeMs')::bigint, 900000) /* end */));
  v_name := (select i.id from instance i) || '/' || v_run.run_id || '/' || (p->>'purpose') || '/'
    || (select count(*) + 1 from provider_tokens t where t.run_id = v_run.run_id);
  insert into provider_tokens (token_id, run_id, class, purpose, account, zone, name, effect_id,
      sender, state, created_at, send_by, settling_ms, expires_at)
    values (v_id, v_run.run_id, p->>'class', p->>'purpose', p->>'account', p->>'zone', v_name,
      p->>'effectId', p->>'sender', 'minting', v_now, v_send_by, (p->>'settlingMs')::bigint,
      v_expires);
  update runs r set operations = r.operations + 1 where r.run_id = v_run.run_id;
  perform log_append('token-minting', v_run.run_id, jsonb_build_object('name', v_name,
    'class', p->'class', 'purpose', p->'purpose', 'account', p->'account', 'zone', p->'zone',
    'effect', p->'effectId', 'expires', v_expires));
  return jsonb_build_object('verdict', 'granted', 'tokenId', v_id, 'name', v_name,
    'expiresMs', (extract(epoch from v_expires) * 1000)::bigint,
    'remainingMs', to_ms(v_send_by - v_now));
end $$;

-- The mint's answer: the value is kept, unless the token is due by now, because a stop was quicker. Of one purpose
-- one token is live: the former one is due.
create function token_minted(p jsonb) returns text language plpgsql volatile as $$
declare
  v_row provider_tokens;
  v_state text;
begin
  perform door_enter();
  perform 1 from runs r join provider_tokens t on t.run_id = r.run_id
    where t.token_id = p->>'tokenId' for no key update of r;
  select * into v_row from provider_tokens t where t.token_id = p->>'tokenId';
  if not found then
    raise exception 'no token % was being minted', p->>'tokenId' using errcode = 'CS003';
  end if;
  v_state := case when v_row.state = 'minting' then 'live'
    else /* guard:mint-stopped else 'live' */ 'due' /* end */ end;
  update provider_tokens t
     set state = v_state, provider_token = p->>'providerToken', key_id = p->>'keyId',
         nonce = decode(p->>'nonce', 'hex'), ciphertext = decode(p->>'ciphertext', 'hex'),
         minted_at = countersign_now(), revoked_at = null
   where t.token_id = v_row.token_id;
  if v_state = 'live' then
    update provider_tokens t set state = 'due', due_why = 'rotated'
     where t.run_id = v_row.run_id and t.class = v_row.class and t.purpose = v_row.purpose
       and t.account = v_row.account and t.zone = v_row.zone and t.state = 'live'
       and t.token_id <> v_row.token_id;
  end if;
  perform log_append('token-minted', v_row.run_id, jsonb_build_object('name', v_row.name,
    'token', p->'providerToken', 'key', p->'keyId', 'state', v_state));
  return v_state;
end $$;
`;

const revoke = `
-- To be revoked from now on; one that is revoked already stays so.
create function token_due(p_token text, p_why text) returns void language plpgsql volatile as $$
begin
  update provider_tokens t set state = 'due', due_why = left(p_why, 200)
   where t.token_id = p_token and t.state in ('minting', 'live');
end $$;

create function tokens_end(p_run text, p_class text, p_why text) returns void
language plpgsql volatile as $$
begin
  if /* guard:revoke-at-end else false */ true /* end */ then
    update provider_tokens t set state = 'due', due_why = p_why
     where t.run_id = p_run and t.state in ('minting', 'live')
       and (p_class is null or t.class = p_class);
  end if;
end $$;

-- A stop makes the tokens for actions due in its own transaction; those of reversals go on.
create function tokens_stop(p_scope text) returns void language plpgsql volatile as $$
begin
  if /* guard:revoke-on-stop else false */ true /* end */ then
    update provider_tokens t set state = 'due', due_why = 'stopped'
      from runs r
     where r.run_id = t.run_id and t.class = 'actions' and t.state in ('minting', 'live')
       and scope_covers(p_scope, r, 'cloudflare');
  end if;
end $$;

-- May it still be minted? A stop makes it due.
create function token_still(p_token text) returns boolean language plpgsql volatile as $$
begin
  return exists (select 1 from provider_tokens t
    where t.token_id = p_token and t.state = 'minting');
end $$;

-- Deleted at the provider, or surely never made: the value goes, the row stays.
create function token_revoked(p_token text, p_evidence jsonb) returns boolean
language plpgsql volatile as $$
declare
  v_row provider_tokens;
begin
  perform 1 from runs r join provider_tokens t on t.run_id = r.run_id
    where t.token_id = p_token for no key update of r;
  select * into v_row from provider_tokens t where t.token_id = p_token;
  if not found or v_row.state = 'revoked' then return false; end if;
  update provider_tokens t
     set state = 'revoked', ciphertext = null, nonce = null, revoked_at = countersign_now()
   where t.token_id = p_token;
  update runs r set operations = r.operations + 1 where r.run_id = v_row.run_id;
  perform log_append('token-revoked', v_row.run_id, jsonb_build_object('name', v_row.name,
    'token', v_row.provider_token, 'why', v_row.due_why, 'evidence', p_evidence));
  return true;
end $$;
`;

export const tokensSql = mint + revoke;
