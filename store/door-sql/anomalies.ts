/** What is unusual goes on record, into the log and to whoever is told, in one transaction and once. */
export const anomaliesSql = `
create function anomaly_add(p jsonb) returns boolean language plpgsql volatile as $$
declare
  v_run runs;
begin
  select * into v_run from runs r where r.run_id = p->>'runId';
  insert into anomalies (dedupe, run_id, agent, kind, text, consequence, seen_at)
    values (p->>'dedupe', v_run.run_id, v_run.agent, p->>'kind', p->>'text', p->>'consequence',
            countersign_now())
    on conflict (dedupe) do nothing;
  if not found then return false; end if;
  perform notice_add('anomaly', 'anomaly:' || (p->>'dedupe'), v_run.run_id, jsonb_build_object(
    'agent', v_run.agent, 'anomaly', p->>'kind', 'text', p->>'text',
    'consequence', p->>'consequence'));
  perform log_append('anomaly', v_run.run_id, jsonb_build_object(
    'agent', v_run.agent, 'anomaly', p->>'kind', 'consequence', p->>'consequence'));
  return true;
end $$;
`;
