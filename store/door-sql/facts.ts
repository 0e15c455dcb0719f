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

-- The policy in force, and the newest gate that lists an action, with all that its grant stands on.
create function grant_facts(p_run text, p_digest text) returns table (
  now timestamptz, policy jsonb, policy_document text, gate jsonb, gate_plan text, decisions jsonb,
  persons jsonb, keys jsonb
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
             where p.run_id = p_run and p.revision = n.plan_revision),
           (select coalesce(jsonb_agg(to_jsonb(c) order by c.recorded_at), '[]') from counted c),
           (select coalesce(jsonb_agg(to_jsonb(h)), '[]') from persons h
             where h.person_id in (select c.person_id from counted c)),
           (select coalesce(jsonb_agg(to_jsonb(k)), '[]') from keys k
             where k.key_id in (select c.key_id from counted c))
      from (select 1) one
      left join lateral (select x.version, x.digest, x.document from policies x
                          order by x.version desc limit 1) o on true;
end $$;
`;
