/** What was unusual about a run, as it was seen: append-only. `dedupe` names the sight for ever. */
export const anomalies = `
create table anomalies (
  anomaly_id bigint generated always as identity primary key,
  dedupe text not null unique,
  run_id text not null references runs,
  agent text not null,
  kind text not null check (kind ~ '^[a-z][a-z-]{1,40}$'),
  text text not null,
  consequence text not null check (consequence in ('note', 'gate', 'stop')),
  seen_at timestamptz not null
);
create index anomalies_of_run on anomalies (run_id);
create index runs_of_agent on runs (agent, admitted_at);
create trigger anomalies_rows before update or delete on anomalies
  for each row execute function forbid_change();
create trigger anomalies_all before truncate on anomalies
  for each statement execute function forbid_change();
`;
