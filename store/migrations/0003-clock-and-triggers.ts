/** The clock, and what no statement may undo: append-only tables, states that only move forward. */
const clock = `
create function countersign_now() returns timestamptz language plpgsql volatile as $$
begin
  return clock_timestamp() + (select c.advance_ms from clock c) * interval '1 millisecond';
end $$;
create function utc_month(p_at timestamptz) returns text language sql immutable as $$
  select to_char(p_at at time zone 'UTC', 'YYYY-MM')
$$;
create function forbid_clock() returns trigger language plpgsql as $$
begin
  if (select i.mode from instance i) = 'production' then
    raise exception 'the clock of a production instance cannot be moved' using errcode = 'CS010';
  end if;
  if new.advance_ms < old.advance_ms then
    raise exception 'the clock only moves forward' using errcode = 'CS010';
  end if;
  return new;
end $$;
create trigger clock_moves before update on clock for each row execute function forbid_clock();
create function forbid_instance() returns trigger language plpgsql as $$
begin
  if new.id <> old.id or new.mode <> old.mode then
    raise exception 'the id and the mode of an instance never change' using errcode = 'CS010';
  end if;
  return new;
end $$;
create trigger instance_fixed before update on instance
  for each row execute function forbid_instance();
`;

const appendOnly = `
create function forbid_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name using errcode = 'CS010';
end $$;
${['log', 'postings', 'policies', 'grant_uses', 'decisions', 'plans', 'plan_steps']
  .map(
    (table) => `
create trigger ${table}_rows before update or delete on ${table}
  for each row execute function forbid_change();
create trigger ${table}_all before truncate on ${table}
  for each statement execute function forbid_change();`,
  )
  .join('')}
${['instance', 'clock', 'runs', 'gates', 'effects', 'stops', 'reservations', 'balances', 'log_head']
  .map(
    (table) => `
create trigger ${table}_kept before delete on ${table}
  for each row execute function forbid_change();
create trigger ${table}_whole before truncate on ${table}
  for each statement execute function forbid_change();`,
  )
  .join('')}
`;

const forward = `
create function policy_grows() returns trigger language plpgsql as $$
begin
  if new.version <> coalesce((select max(p.version) from policies p), 0) + 1 then
    raise exception 'policy version % does not follow the one in force', new.version
      using errcode = 'CS010';
  end if;
  return new;
end $$;
create trigger policies_grow before insert on policies
  for each row execute function policy_grows();

create function gate_forward() returns trigger language plpgsql as $$
begin
  if row(new.gate_id, new.run_id, new.gate, new.revision, new.document, new.digest, new.card,
         new.card_digest, new.actions, new.policy_version, new.opened_at, new.expires_at)
     is distinct from
     row(old.gate_id, old.run_id, old.gate, old.revision, old.document, old.digest, old.card,
         old.card_digest, old.actions, old.policy_version, old.opened_at, old.expires_at) then
    raise exception 'gate % is written once', old.gate_id using errcode = 'CS010';
  end if;
  if new.state <> old.state
     and not (old.state = 'open' or (old.state = 'granted' and new.state in ('void', 'expired')))
  then
    raise exception 'gate % is % and cannot become %', old.gate_id, old.state, new.state
      using errcode = 'CS010';
  end if;
  return new;
end $$;
create trigger gates_forward before update on gates
  for each row execute function gate_forward();

create function gate_supersedes() returns trigger language plpgsql as $$
begin
  if new.revision <> 1 + coalesce((select max(g.revision) from gates g
       where g.run_id = new.run_id and g.gate = new.gate), 0) then
    raise exception 'gate revision % of % does not follow the last', new.revision, new.run_id
      using errcode = 'CS010';
  end if;
  update gates g set state = 'void', reason = 'superseded', closed_at = new.opened_at
   where g.run_id = new.run_id and g.gate = new.gate and g.state in ('open', 'granted');
  return new;
end $$;
create trigger gates_supersede before insert on gates
  for each row execute function gate_supersedes();

create function run_forward() returns trigger language plpgsql as $$
begin
  if row(new.run_id, new.request, new.request_digest, new.requester, new.agent, new.owner_person,
         new.principal, new.environment, new.domain, new.budget_minor, new.currency,
         new.admitted_at)
     is distinct from
     row(old.run_id, old.request, old.request_digest, old.requester, old.agent, old.owner_person,
         old.principal, old.environment, old.domain, old.budget_minor, old.currency,
         old.admitted_at) then
    raise exception 'the admission of run % is written once', old.run_id using errcode = 'CS010';
  end if;
  if old.door <> 'open' and new.door <> old.door then
    raise exception 'the door of run % is % for good', old.run_id, old.door
      using errcode = 'CS010';
  end if;
  if old.end_phase is not null and new.end_phase is distinct from old.end_phase then
    raise exception 'run % has ended as %', old.run_id, old.end_phase using errcode = 'CS010';
  end if;
  if new.plan_revision < old.plan_revision or new.operations < old.operations then
    raise exception 'counts of run % only grow', old.run_id using errcode = 'CS010';
  end if;
  return new;
end $$;
create trigger runs_forward before update on runs
  for each row execute function run_forward();

create function effect_forward() returns trigger language plpgsql as $$
begin
  if /* guard:attempt-forward else false */ new.attempt < old.attempt /* end */
     or new.epoch < old.epoch
     or (old.state = 'closed' and new.state <> 'closed')
     or (old.state = 'closing' and new.state not in ('closing', 'closed'))
     or (old.kind = 'act' and old.state = 'succeeded'
         and new.state not in ('succeeded', 'closing'))
     or (old.object is not null and new.object is distinct from old.object) then
    raise exception 'effect % moves forward only: % to %', old.effect_id, old.state, new.state
      using errcode = 'CS010';
  end if;
  return new;
end $$;
create trigger effects_forward before update on effects
  for each row execute function effect_forward();

create function key_forward() returns trigger language plpgsql as $$
begin
  if row(new.key_id, new.person_id, new.public_key)
     is distinct from row(old.key_id, old.person_id, old.public_key)
     or (old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at) then
    raise exception 'key % stays as enrolled, and revoked once revoked', old.key_id
      using errcode = 'CS010';
  end if;
  return new;
end $$;
create trigger keys_forward before update on keys
  for each row execute function key_forward();
`;

export const clockAndTriggers = clock + appendOnly + forward;
