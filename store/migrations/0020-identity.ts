/**
 * Who is behind a token, who answers for an agent, and what a person has lent it. An account (issuer, subject) belongs
 * to one person, agent or service for ever; e-mail is there to be shown. The chain of agents that a run came through is
 * written at its admission.
 */
const accounts = `
create table accounts (
  iss text not null check (iss ~ '^https?://[^[:space:]]+$' and length(iss) <= 510),
  sub text not null check (sub ~ '^[[:graph:]]+$' and length(sub) <= 255),
  person_id text references persons,
  agent_id text references agents,
  service_id text check (service_id ~ '^s_[a-z0-9][a-z0-9_-]{0,62}$'),
  email text,
  email_verified boolean not null default false,
  linked_at timestamptz not null,
  -- the person who signed for it, or how it came about
  linked_by text not null,
  -- the signed statement, where one was needed
  statement text,
  void_at timestamptz,
  void_reason text,
  primary key (iss, sub),
  check (num_nonnulls(person_id, agent_id, service_id) = 1)
);
create index accounts_of_person on accounts (person_id) where person_id is not null;
create index accounts_of_agent on accounts (agent_id) where agent_id is not null;
create function account_forward() returns trigger language plpgsql as $$
begin
  if row(new.iss, new.sub, new.person_id, new.agent_id, new.service_id)
     is distinct from row(old.iss, old.sub, old.person_id, old.agent_id, old.service_id) then
    raise exception 'an account belongs to one holder for ever' using errcode = 'CS010';
  end if;
  if old.void_at is not null and new.void_at is null and new.person_id is null then
    raise exception 'a credential that was replaced stays void' using errcode = 'CS010';
  end if;
  return new;
end $$;
create trigger accounts_forward before update on accounts
  for each row execute function account_forward();
`;

const agents = `
alter table agents
  add column state text not null default 'active'
    check (state in ('active', 'suspended', 'removed')),
  add column state_reason text,
  -- what it may ask for by a token of its own: empty allows nothing, * any
  add column principals text[] not null default '{}',
  add column environments text[] not null default '{}',
  -- the agents that it may say it acts for
  add column via text[] not null default '{}';

create table agent_owners (
  agent_id text not null references agents,
  person_id text not null references persons,
  since timestamptz not null,
  until timestamptz
);
create index agent_owners_of on agent_owners (agent_id);
insert into agent_owners (agent_id, person_id, since)
  select a.agent_id, a.owner_person, a.created_at from agents a where a.owner_person is not null;

create function agent_forward() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' then
    if old.state = 'removed' and new.state <> 'removed' then
      raise exception 'agent % was removed for good', old.agent_id using errcode = 'CS010';
    end if;
    if new.owner_person is not distinct from old.owner_person then return new; end if;
    update agent_owners o set until = countersign_now()
     where o.agent_id = new.agent_id and o.until is null;
  end if;
  if new.owner_person is not null then
    insert into agent_owners (agent_id, person_id, since)
      values (new.agent_id, new.owner_person,
              case when tg_op = 'INSERT' then new.created_at else countersign_now() end);
  end if;
  return new;
end $$;
create trigger agents_forward after insert or update on agents
  for each row execute function agent_forward();

create table run_agents (
  run_id text not null references runs,
  -- 0 is the outermost; the last is the run's own agent
  position int not null check (position >= 0),
  agent_id text not null,
  build text,
  session text,
  owner_person text not null,
  primary key (run_id, position)
);
`;

const delegations = `
create table delegations (
  delegation_id text primary key check (delegation_id ~ '^d_[0-9a-f]{16}$'),
  person_id text not null references persons,
  agent_id text not null references agents,
  steps text[] not null check (cardinality(steps) >= 1),
  ceiling_minor bigint not null check (ceiling_minor >= 0),
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  until timestamptz not null,
  statement text not null,
  given_at timestamptz not null,
  revoked_at timestamptz,
  revoked_by text
);
create index delegations_of on delegations (person_id, agent_id);
create function delegation_forward() returns trigger language plpgsql as $$
begin
  if row(new.delegation_id, new.person_id, new.agent_id, new.steps, new.ceiling_minor,
         new.currency, new.until, new.statement, new.given_at)
     is distinct from
     row(old.delegation_id, old.person_id, old.agent_id, old.steps, old.ceiling_minor,
         old.currency, old.until, old.statement, old.given_at)
     or (old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at) then
    raise exception 'delegation % stays as given, and revoked once revoked', old.delegation_id
      using errcode = 'CS010';
  end if;
  return new;
end $$;
create trigger delegations_forward before update on delegations
  for each row execute function delegation_forward();
`;

const kept = ['accounts', 'delegations', 'agents', 'persons', 'agent_owners']
  .map(
    (table) => `
create trigger ${table}_kept before delete on ${table}
  for each row execute function forbid_change();
create trigger ${table}_whole before truncate on ${table}
  for each statement execute function forbid_change();`,
  )
  .join('');

const written = `
create trigger run_agents_rows before update or delete on run_agents
  for each row execute function forbid_change();
create trigger run_agents_all before truncate on run_agents
  for each statement execute function forbid_change();
`;

export const identity = accounts + agents + delegations + kept + written;
