/**
 * What the HTTP server keeps: the first answer to each key of a caller, so that a repeated POST is answered and not
 * done again; and the sessions of persons who have signed in, which an unsigned reject refers to.
 */
export const http = `
create table http_answers (
  caller text not null,
  route text not null,
  key_digest text not null,
  body_digest text not null,
  -- null while the first request of this key is being answered
  status integer,
  body text,
  content_type text,
  begun_at timestamptz not null default countersign_now(),
  -- draws apart who answers now from one that was cut off
  attempt text not null,
  primary key (caller, route, key_digest)
);
create index http_answers_age on http_answers (begun_at);

create table sessions (
  session_id text primary key check (session_id ~ '^[0-9a-f]{64}$'),
  person_id text not null references persons,
  issuer text not null,
  subject text not null,
  signed_in_at timestamptz not null,
  first_seen_at timestamptz not null default countersign_now()
);
alter table decisions add column session_id text references sessions;
`;
