/**
 * What the gateway reads about a run before it asks the door: one round trip and one statement each, planned once a
 * connection, since beginning a statement costs more than what it reads. Nothing is decided here, and what these answer
 * is looked at again under the door's own locks.
 */

/**
 * Who has to do with the run `r`: the owner of its agent, the person of its principal, everybody who has answered for an
 * agent of its chain since the admission, and the agents before its own with their owners then.
 */
const PEOPLE = {
  owner: `(select a.owner_person from agents a where a.agent_id = r.agent)`,
  principal_person: `(select p.person_id from principals p where p.principal_id = r.principal)`,
  owners: `array(
    select c.owner_person from run_agents c where c.run_id = r.run_id
    union
    select o.person_id from agent_owners o
     where (o.agent_id in (r.agent, r.requester)
            or o.agent_id in (select c.agent_id from run_agents c where c.run_id = r.run_id))
       and (o.until is null or o.until >= r.admitted_at))`,
  via: `(select coalesce(jsonb_agg(jsonb_build_object('agent', c.agent_id,
             'owner', c.owner_person) order by c.position), '[]')
           from run_agents c where c.run_id = r.run_id and c.position < (
             select max(l.position) from run_agents l where l.run_id = r.run_id))`,
} as const;

const peopleAsJson = `jsonb_build_object(${Object.entries(PEOPLE)
  .map(([name, value]) => `'${name}', ${value}`)
  .join(', ')})`;

/** The newest gate that lists an action of the run, and the decisions that count there. */
const gateOf = (digest: string): string => `
    newest as materialized (
      select g.gate_id, g.state, g.reason, g.document, g.plan_revision from gates g
       where g.run_id = p_run and ${digest} = any(g.actions)
       order by g.opened_at desc, g.revision desc limit 1
    ), counted as materialized (
      select d.statement, d.person_id, d.key_id, d.recorded_at, d.evidence from decisions d
       where d.gate_id = (select n.gate_id from newest n) and d.accepted
    )`;

/**
 * The policy in force (`o`), that gate with all that its grant stands on, and the people of the run `r`. The plan that the
 * gate was opened over is left out where it is the revision that the caller holds.
 */
const grantOf = (held: string): string => `
           countersign_now(), jsonb_build_object('version', o.version, 'digest', o.digest),
           o.document, (select to_jsonb(n) from newest n),
           (select p.plan from plans p, newest n
             where p.run_id = p_run and p.revision = n.plan_revision
               and p.revision is distinct from ${held}),
           (select coalesce(jsonb_agg(to_jsonb(c) order by c.recorded_at), '[]') from counted c),
           (select coalesce(jsonb_agg(to_jsonb(h)), '[]') from persons h
             where h.person_id in (select c.person_id from counted c)),
           (select coalesce(jsonb_agg(to_jsonb(k)), '[]') from keys k
             where k.key_id in (select c.key_id from counted c)),
           ${peopleAsJson}`;

const POLICY_IN_FORCE = `
      left join lateral (select x.version, x.digest, x.document from policies x
                          order by x.version desc limit 1) o on true`;

const GRANT_COLUMNS = `now timestamptz, policy jsonb, policy_document text, gate jsonb,
  gate_plan text, decisions jsonb, persons jsonb, keys jsonb, people jsonb`;

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

create function run_people(p_run text) returns table (
  owner text, principal_person text, owners text[], via jsonb
) language plpgsql volatile set plan_cache_mode to force_generic_plan as $$
#variable_conflict use_column
begin
  return query select ${Object.values(PEOPLE).join(', ')} from runs r where r.run_id = p_run;
end $$;

create function grant_facts(p_run text, p_digest text, p_held int) returns table (${GRANT_COLUMNS})
language plpgsql volatile set plan_cache_mode to force_generic_plan as $$
#variable_conflict use_column
begin
  return query
    with ${gateOf('p_digest')}
    select ${grantOf('p_held')}
      from runs r ${POLICY_IN_FORCE}
     where r.run_id = p_run;
end $$;

-- The facts of a run and, of its step's action as planned now, those of the grant and the lifted stops over it.
create function effect_facts(p_run text, p_step text) returns table (
  run jsonb, plan text, effects jsonb, digest text, provider text, lifts jsonb, ${GRANT_COLUMNS}
) language plpgsql volatile set plan_cache_mode to force_generic_plan as $$
#variable_conflict use_column
begin
  return query
    with planned as materialized (
      select s.digest, s.provider from runs r join plan_steps s
          on s.run_id = r.run_id and s.revision = r.plan_revision and s.step = p_step
       where r.run_id = p_run
    ), ${gateOf('(select s.digest from planned s)')}
    select to_jsonb(r),
           (select p.plan from plans p where p.run_id = p_run and p.revision = r.plan_revision),
           (select coalesce(jsonb_agg(to_jsonb(d)), '[]') from door_rows(p_run, null) d),
           (select s.digest from planned s), (select s.provider from planned s),
           (select coalesce(jsonb_agg(to_jsonb(l)), '[]')
              from stop_lifts(p_run, (select s.provider from planned s)) l),
           ${grantOf('r.plan_revision')}
      from runs r ${POLICY_IN_FORCE}
     where r.run_id = p_run;
end $$;
`;
