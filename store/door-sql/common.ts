import { CASE_KINDS } from '../../domain/cases.js';

const CASE_SEVERITIES = Object.entries(CASE_KINDS)
  .map(([kind, { severity }]) => `when p_kind = '${kind}' then '${severity}'`)
  .join(' ');

/**
 * What every function of the door begins with or ends with. A text between a guard's mark and its end is
 * what test/door/without.ts can take out of a scratch database, to see a test go red without it.
 */
const enter = `
create type door_answer as (
  verdict text, reason text, detail text, attempt int, epoch int, remaining_ms bigint, wait_ms bigint
);

-- The fence's lock as a statement of its own: whatever reads next has a later snapshot and sees a stop that
-- committed while this waited. Under REPEATABLE READ it would not, hence the check.
create function door_enter() returns void language plpgsql volatile as $$
begin
  if /* guard:read-committed else false */
     current_setting('transaction_isolation') <> 'read committed' /* end */ then
    raise exception 'the door needs READ COMMITTED, got %', current_setting('transaction_isolation')
      using errcode = 'CS001';
  end if;
  /* guard:fence-lock else null */ perform pg_advisory_xact_lock_shared(7001) /* end */;
end $$;

create function scope_covers(p_scope text, p_run runs, p_provider text) returns boolean
language sql immutable as $$
  select p_scope = 'all'
    or p_scope = 'run/' || p_run.run_id
    or p_scope = 'agent/' || p_run.agent
    or p_scope = 'principal/' || p_run.principal
    or p_scope = 'provider/' || p_provider
$$;

create function door_fenced(p_run runs, p_provider text) returns boolean
language plpgsql volatile as $$
begin
  return exists (select 1 from fences f where scope_covers(f.scope, p_run, p_provider));
end $$;

create function to_ms(p interval) returns bigint language sql immutable as $$
  select ceil(extract(epoch from p) * 1000)::bigint
$$;

create function from_ms(p bigint) returns interval language sql immutable as $$
  select p * interval '1 millisecond'
$$;
`;

const log = `
-- One chain. The leaf is the hash of a salted payload kept apart, so that a payload can be erased and the
-- chain still holds. Always the last thing of a transaction: the head is the last lock in the order.
create function log_append(p_kind text, p_run text, p_payload jsonb) returns bigint
language plpgsql volatile as $$
declare
  v_head log_head;
  v_at timestamptz;
  v_salt text := encode(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), 'hex');
  v_leaf text := encode(sha256(convert_to(v_salt || p_payload::text, 'UTF8')), 'hex');
  v_hash text;
begin
  select * into v_head from log_head for update;
  v_at := date_trunc('milliseconds', countersign_now());
  v_hash := encode(sha256(convert_to(concat_ws('|', v_head.hash, v_head.idx + 1, p_kind,
    coalesce(p_run, ''), (extract(epoch from v_at) * 1000)::bigint, v_leaf), 'UTF8')), 'hex');
  insert into log (idx, kind, run_id, at, leaf, prev, hash)
    values (v_head.idx + 1, p_kind, p_run, v_at, v_leaf, v_head.hash, v_hash);
  insert into log_payloads (idx, salt, payload) values (v_head.idx + 1, v_salt, p_payload::text);
  update log_head set idx = v_head.idx + 1, hash = v_hash;
  return v_head.idx + 1;
end $$;

create function log_refusal(p_run text, p_asked text, p_reason text, p_detail text) returns void
language plpgsql volatile as $$
begin
  insert into refusals (run_id, asked, reason, detail, refused_at)
    values (left(p_run, 100), left(p_asked, 200), p_reason, left(p_detail, 500), countersign_now());
  perform log_append('refused', left(p_run, 100), jsonb_build_object(
    'asked', left(p_asked, 200), 'reason', p_reason, 'detail', left(p_detail, 500)));
end $$;

create function door_refused(p jsonb, p_asked text, p_reason text, p_detail text)
returns door_answer language plpgsql volatile as $$
begin
  perform log_refusal(p->>'runId', p_asked || ' ' || coalesce(p->>'step', ''), p_reason, p_detail);
  return row('refused', p_reason, p_detail, null, null, null, null)::door_answer;
end $$;

-- The outbox of notices: written where the thing happens, sent afterwards, each name once.
create function notice_add(p_kind text, p_dedupe text, p_run text, p_payload jsonb) returns void
language sql volatile as $$
  insert into notices (kind, dedupe, run_id, payload) values (p_kind, p_dedupe, p_run, p_payload)
    on conflict (dedupe) do nothing
$$;

-- How bad a case of this kind is (domain/cases.ts); of an unknown kind: a warning, since a case is never lost.
create function case_severity(p_kind text) returns text language sql immutable as $$
  select case ${CASE_SEVERITIES} else 'warning' end
$$;

-- Whoever opens a case tells of it in the same transaction. The text holds ids and amounts, never an address.
create function open_case(p_run text, p_effect text, p_kind text, p_text text,
  p_proposal text default null, p_finding text default null, p_person text default null)
returns text language plpgsql volatile as $$
declare
  v_case bigint;
  v_severity text := case_severity(p_kind);
begin
  insert into cases (run_id, effect_id, kind, severity, text, proposal, finding, person_id, opened_at)
    values (p_run, p_effect, p_kind, v_severity, p_text, p_proposal, p_finding, p_person,
            countersign_now())
    returning case_id into v_case;
  perform notice_add('case-opened', 'case-opened:' || v_case, p_run, jsonb_build_object(
    'case', v_case, 'kind', p_kind, 'severity', v_severity, 'effect', p_effect));
  return p_text;
end $$;
`;

export const commonSql = enter + log;
