/**
 * Subscriptions that a stop pauses on request: since when the stop wants it, and for each subscription how it was last
 * seen and what the last request to the provider asked for. One that somebody else had paused before is left to them.
 */
export const subscriptionPauses = `
alter table stops add column pauses_at timestamptz;
create table subscription_pauses (
  effect_id text primary key references effects,
  state text not null default 'running' check (state in ('running', 'paused', 'ended')),
  of_others boolean not null default false,
  attempt int not null default 0,
  asks text check (asks in ('running', 'paused')),
  send_by timestamptz,
  settling_ms bigint,
  settled boolean not null default true,
  changed_at timestamptz not null,
  check (settled or (asks is not null and send_by is not null and settling_ms is not null))
);
`;
