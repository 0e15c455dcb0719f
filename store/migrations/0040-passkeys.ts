/**
 * Passkeys beside key files, keys that came about by signed statements, and what a decision was believed for. A key's
 * row is a cache of its enrolment: the statements stay beside it and are verified again wherever a root is pinned.
 */
export const passkeys = `
alter table keys drop constraint keys_algorithm_check;
alter table keys
  add constraint keys_algorithm_check check (algorithm in ('ed25519', 'ES256', 'EdDSA', 'RS256')),
  add column credential_id text unique,
  add column rp_id text,
  add column handle text,
  add column counter bigint not null default 0 check (counter >= 0),
  add column backup_eligible boolean,
  add column backed_up boolean,
  add column enrolment text,
  add constraint keys_passkey check (algorithm = 'ed25519'
    or (credential_id is not null and rp_id is not null and handle is not null
        and backup_eligible is not null));

create table key_enrolments (
  enrolment text primary key check (enrolment ~ '^sha256:[0-9a-f]{64}$'),
  key_id text not null,
  person_id text not null,
  person_name text not null,
  groups text[] not null,
  algorithm text not null,
  public_key text not null,
  credential_id text,
  rp_id text,
  handle text,
  backup_eligible boolean,
  message text not null,
  requested_at timestamptz not null
);
create table key_approvals (
  digest text primary key,
  enrolment text not null references key_enrolments,
  person_id text not null,
  key_id text not null,
  message text not null,
  recorded_at timestamptz not null,
  unique (enrolment, person_id)
);
create table key_revocations (
  key_id text primary key references keys,
  revoked_as text not null check (revoked_as in ('retired', 'compromised')),
  since timestamptz,
  by text not null,
  reason text not null,
  message text,
  recorded_at timestamptz not null
);
${['key_enrolments', 'key_approvals', 'key_revocations']
  .map(
    (table) => `
create trigger ${table}_rows before update or delete on ${table}
  for each row execute function forbid_change();
create trigger ${table}_all before truncate on ${table}
  for each statement execute function forbid_change();`,
  )
  .join('')}

alter table decisions
  add column statement_digest text,
  add column round int not null default 0,
  add column evidence jsonb not null default '[]',
  add column counter bigint,
  add column backup_eligible boolean,
  add column backed_up boolean;
drop index decisions_one_per_person;
create unique index decisions_one_per_person on decisions (gate_id, person_id, round)
  where accepted and decision = 'approve';
create unique index decisions_statement on decisions (statement_digest)
  where accepted;

create or replace function key_forward() returns trigger language plpgsql as $$
begin
  if row(new.key_id, new.person_id, new.algorithm, new.public_key, new.credential_id, new.rp_id,
         new.handle, new.backup_eligible, new.enrolment, new.active_from)
     is distinct from
     row(old.key_id, old.person_id, old.algorithm, old.public_key, old.credential_id, old.rp_id,
         old.handle, old.backup_eligible, old.enrolment, old.active_from)
     or new.counter < old.counter
     or (old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at)
     or (old.revoked_as = 'compromised' and new.revoked_as is distinct from old.revoked_as) then
    raise exception 'key % stays as enrolled, and revoked once revoked', old.key_id
      using errcode = 'CS010';
  end if;
  return new;
end $$;
`;
