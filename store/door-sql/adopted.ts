/** What a plan counts upon, held until the plan is written (store/taken-under.ts). */
export const adoptedSql = `
-- As each stands now, under a lock that whoever marks one closing has to wait for.
create function effects_held(p_effects text[], p_quoted timestamptz) returns table (
  effect_id text, run_id text, step text, object text, digest text, closing boolean,
  closed_since boolean
) language sql volatile as $$
  select e.effect_id, e.run_id, e.step, e.object, e.digest,
         e.state = 'closing' or (e.torn_by is not null and e.torn_at is null),
         (e.state = 'closed' and e.closed_at >= p_quoted) or coalesce(e.torn_at >= p_quoted, false)
    from effects e where e.effect_id = any(p_effects)
   order by e.effect_id for share of e
$$;
`;
