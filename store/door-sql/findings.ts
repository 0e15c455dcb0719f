/** What `reconcile` keeps of what it finds. */
export const findingsSql = `
-- {name, kind, area, object, runId, effectId, text, proposal}: true when it is new, or has come back, and a case was
-- opened. One that has an open case already, of the sweep for instance, takes that one; one that stands, its case closed by a person or not, opens no second case.
create function finding_seen(p jsonb) returns boolean language plpgsql volatile as $$
declare
  v findings;
  v_case bigint;
  v_told boolean;
begin
  insert into findings as f (name, kind, area, object, first_seen_at, last_seen_at, gone_at)
    values (p->>'name', p->>'kind', p->>'area', p->>'object', countersign_now(), countersign_now(),
            countersign_now())
    on conflict do nothing;
  select * into v from findings f where f.name = p->>'name' for update;
  if /* guard:finding-once else false */ v.gone_at is null /* end */ then
    update findings f set last_seen_at = countersign_now() where f.name = v.name;
    return false;
  end if;
  -- The sweep, or a provider's call, may have told the same already.
  select max(c.case_id) into v_case from cases c
   where c.kind = p->>'kind' and c.closed_at is null
     and c.effect_id is not distinct from p->>'effectId' and position(p->>'object' in c.text) > 0;
  v_told := v_case is not null;
  if not v_told then
    perform open_case(p->>'runId', p->>'effectId', p->>'kind', p->>'text', p->>'proposal', v.name);
    select max(c.case_id) into v_case from cases c where c.finding = v.name;
  end if;
  update findings f set gone_at = null, case_id = v_case, area = p->>'area',
         last_seen_at = countersign_now()
   where f.name = v.name;
  return not v_told;
end $$;

-- An area was read whole: what stood in it and was not seen is gone, and its case closes. Answers how many closed.
create function findings_gone(p_area text, p_seen text[]) returns int language plpgsql volatile as $$
declare
  v findings;
  v_closed int := 0;
begin
  for v in select * from findings f where f.area = p_area and f.gone_at is null
            and f.name <> all(p_seen) order by f.name for update
  loop
    update findings f set gone_at = countersign_now() where f.name = v.name;
    update cases c set closed_at = countersign_now(), closed_by = 'reconcile',
           closed_as = 'seen-resolved', close_reason = 'seen no more'
     where c.case_id = v.case_id and c.closed_at is null;
    if found then
      v_closed := v_closed + 1;
      perform log_append('case-closed', null, jsonb_build_object('case', v.case_id,
        'kind', v.kind, 'by', 'reconcile', 'as', 'seen-resolved'));
    end if;
  end loop;
  return v_closed;
end $$;
`;
