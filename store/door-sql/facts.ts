/**
 * What the gateway reads about a run before it asks the door: one round trip each, planned once a connection. Nothing
 * is decided here, and what these answer is looked at again under the door's own locks.
 */
export const factsSql = `
-- A run, the current revision of its plan, and its effects.
create function run_facts(p_run text) returns table (run runs, plan text, effects jsonb)
language plpgsql volatile set plan_cache_mode to force_generic_plan as $$
#variable_conflict use_column
begin
  return query
    select r, p.plan, (select coalesce(jsonb_agg(to_jsonb(d)), '[]') from door_rows(p_run, null) d)
      from runs r left join plans p on p.run_id = r.run_id and p.revision = r.plan_revision
     where r.run_id = p_run;
end $$;

-- Who has to do with a run: the owner of its agent, the person of its principal, everybody who has answered for an agent
-- of its chain since the admission, and the agents before its own with their owners then.
create function run_people(p_run text) returns table (
  owner text, principal_person text, owners text[], via jsonb
) language plpgsql volatile set plan_cache_mode to force_generic_plan as $$
#variable_conflict use_column
declare
  v_run runs;
  v_chain text[];
begin
  select r.* into v_run from runs r where r.run_id = p_run;
  if not found then return; end if;
  v_chain := run_chain(v_run) || v_run.requester;
  return query
    select (select a.owner_person from agents a where a.agent_id = v_run.agent),
           (select p.person_id from principals p where p.principal_id = v_run.principal),
           array(select c.owner_person from run_agents c where c.run_id = p_run
                 union select o.person_id from agent_owners o
                  where o.agent_id = any(v_chain)
                    and (o.until is null or o.until >= v_run.admitted_at)),
           (select coalesce(jsonb_agg(jsonb_build_object('agent', c.agent_id,
                     'owner', c.owner_person) order by c.position), '[]')
              from run_agents c where c.run_id = p_run and c.position < (
                select max(l.position) from run_agents l where l.run_id = p_run));
end $$;

-- The policy in force, and the newest gate that lists an action, with all that its grant stands on. The plan that the
-- gate was opened over is left out where it is the revision that the caller holds.
create function grant_facts(p_run text, p_digest text, p_held int) returns table (
  now timestamptz, policy jsonb, policy_document text, gate jsonb, gate_plan text, decisions jsonb,
  persons jsonb, keys jsonb, people jsonb
) language plpgsql volatile set plan_cache_mode to force_generic_plan as $$
#variable_conflict use_column
begin
  return query
    with newest as materialized (
      select g.gate_id, g.state, g.reason, g.document, g.plan_revision from gates g
       where g.run_id = p_run and p_digest = any(g.actions)
       order by g.opened_at desc, g.revision desc limit 1
    ), counted as materialized (
      select d.statement, d.person_id, d.key_id, d.recorded_at, d.evidence from decisions d
       where d.gate_id = (select n.gate_id from newest n) and d.accepted
    )
    select countersign_now(), jsonb_build_object('version', o.version, 'digest', o.digest),
           o.document, (select to_jsonb(n) from newest n),
           (select p.plan from plans p, newest n
             where p.run_id = p_run and p.revision = n.plan_revision
               and p.revision is distinct from p_held),
           (select coalesce(jsonb_agg(to_jsonb(c) order by c.recorded_at), '[]') from counted c),
           (select coalesce(jsonb_agg(to_jsonb(h)), '[]') from persons h
             where h.person_id in (select c.person_id from counted c)),
           (select coalesce(jsonb_agg(to_jsonb(k)), '[]') from keys k
             where k.key_id in (select c.key_id from counted c)),
           (select to_jsonb(e) from run_people(p_run) e)
      from (select 1) one
      left join lateral (select x.version, x.digest, x.document from policies x
                          order by x.version desc limit 1) o on true;
end $$;

-- The facts of a run and, of its step's action as planned now, those of the grant.
create function effect_facts(p_run text, p_step text) returns table (
  run jsonb, plan text, effects jsonb, digest text, now timestamptz, policy jsonb,
  policy_document text, gate jsonb, gate_plan text, decisions jsonb, persons jsonb, keys jsonb,
  people jsonb
) language plpgsql volatile set plan_cache_mode to force_generic_plan as $$
#variable_conflict use_column
declare
  v_run runs;
  v_plan text;
  v_digest text;
begin
  select r.* into v_run from runs r where r.run_id = p_run;
  if not found then return; end if;
  select p.plan into v_plan from plans p
   where p.run_id = p_run and p.revision = v_run.plan_revision;
  select s.digest into v_digest from plan_steps s
   where s.run_id = p_run and s.revision = v_run.plan_revision and s.step = p_step;
  return query
    select to_jsonb(v_run), v_plan,
           (select coalesce(jsonb_agg(to_jsonb(d)), '[]') from door_rows(p_run, null) d),
           v_digest, g.*
      from grant_facts(p_run, v_digest, v_run.plan_revision) g;
end $$;
`;
