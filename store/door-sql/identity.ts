/** Who acts, who answers for it, and what a person has lent it: judged at admission, at the plan and at each send. */
export const identitySql = `
create type identity_answer as (reason text, agent text);

-- Why a delegation of this person to this agent does not cover these steps at this cost now; null: one of them does.
-- One delegation covers all of it: two are never added up.
create function delegation_refusal(p_person text, p_agent text, p_steps text[], p_minor bigint,
  p_currency text) returns text language plpgsql volatile as $$
declare
  v_now timestamptz := countersign_now();
  v_standing boolean[];
begin
  select array[count(*) > 0,
      coalesce(bool_or(d.revoked_at is null), false),
      coalesce(bool_or(d.revoked_at is null and d.until > v_now), false),
      coalesce(bool_or(d.revoked_at is null and d.until > v_now
        and (d.steps = '{*}' or p_steps <@ d.steps)), false),
      coalesce(bool_or(/* guard:delegation-revoked else true */ d.revoked_at is null /* end */
        and /* guard:delegation-until else true */ d.until > v_now /* end */
        and /* guard:delegation-steps else true */ (d.steps = '{*}' or p_steps <@ d.steps) /* end */
        and /* guard:delegation-ceiling else true */ d.ceiling_minor >= p_minor /* end */
        and d.currency = p_currency), false)]
    into v_standing
    from delegations d where d.person_id = p_person and d.agent_id = p_agent;
  return case
    when v_standing[5] then null
    when not v_standing[1] then 'DELEGATION_MISSING'
    when not v_standing[2] then 'DELEGATION_REVOKED'
    when not v_standing[3] then 'DELEGATION_EXPIRED'
    when not v_standing[4] then 'DELEGATION_STEPS'
    else 'DELEGATION_CEILING' end;
end $$;

-- The first of the agents that may not act for the principal, and why; none: nulls.
-- p_demanded: the policy asks for a delegation whoever answers for the agent.
create function identity_refusal(p_agents text[], p_principal text, p_steps text[], p_minor bigint,
  p_currency text, p_demanded boolean default false) returns identity_answer language plpgsql volatile as $$
declare
  v record;
  v_reason text;
begin
  for v in
    select c.agent_id, a.state, a.owner_person, p.person_id as principal_person,
           coalesce(h.active and h.kind = 'human', false) as owned
      from unnest(p_agents) with ordinality c(agent_id, n)
      left join agents a on a.agent_id = c.agent_id
      left join persons h on h.person_id = a.owner_person
      left join principals p on p.principal_id = p_principal
     order by c.n
  loop
    if /* guard:agent-stopped else false */ agent_stopped(v.agent_id) /* end */ then
      return row('AGENT_SUSPENDED', v.agent_id)::identity_answer;
    end if;
    if /* guard:agent-state else false */ v.state is distinct from 'active' /* end */ then
      return row('AGENT_' || upper(coalesce(v.state, 'unknown')), v.agent_id)::identity_answer;
    end if;
    if /* guard:owner-gone else false */ not v.owned /* end */ then
      return row('OWNER_GONE', v.agent_id)::identity_answer;
    end if;
    if /* guard:delegated else false */ v.principal_person is not null
       and v.principal_person <> v.owner_person /* end */
       or /* guard:delegation-demanded else false */ p_demanded /* end */ then
      -- a principal behind whom nobody is registered has nobody who could have delegated anything
      v_reason := delegation_refusal(v.principal_person, v.agent_id, p_steps, p_minor, p_currency);
      if v_reason is not null then return row(v_reason, v.agent_id)::identity_answer; end if;
    end if;
  end loop;
  return null;
end $$;

-- The agents that a run came through, outermost first; its own agent last, whatever is written of the others.
create function run_chain(p_run runs) returns text[] language plpgsql volatile as $$
begin
  return array(select c.agent_id from run_agents c
    where c.run_id = p_run.run_id and c.agent_id <> p_run.agent order by c.position) || p_run.agent;
end $$;

-- At each send: this step, under what the whole plan may cost.
create function door_identity(p_run runs, p_step plan_steps, p_demanded boolean) returns identity_answer
language plpgsql volatile as $$
begin
  return identity_refusal(run_chain(p_run), p_run.principal, array[p_step.step],
    (select coalesce(sum(s.cost_minor), 0)::bigint from plan_steps s
      where s.run_id = p_run.run_id and s.revision = p_run.plan_revision and s.kind = 'act'),
    p_run.currency, coalesce(p_demanded, false));
end $$;
`;
