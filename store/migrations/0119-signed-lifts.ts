/**
 * The word that lifted a stop stays beside it, with the policy that was in force: senders verify it again. What was
 * lifted before there was a place for it is taken as it stands. A revoked key stays revoked as it was said.
 */
export const signedLifts = `
alter table stops
  add column lifted_message text,
  add column lifted_policy int,
  add column lifted_before boolean not null default false;
update stops set lifted_before = true where lifted_at is not null;
create index stops_last on stops (scope, stop_id);

create or replace function key_forward() returns trigger language plpgsql as $$
begin
  if row(new.key_id, new.person_id, new.algorithm, new.public_key, new.credential_id, new.rp_id,
         new.handle, new.backup_eligible, new.enrolment, new.active_from)
     is distinct from
     row(old.key_id, old.person_id, old.algorithm, old.public_key, old.credential_id, old.rp_id,
         old.handle, old.backup_eligible, old.enrolment, old.active_from)
     or new.counter < old.counter
     or (old.revoked_at is not null and row(new.revoked_at, new.revoked_as, new.compromised_since)
         is distinct from row(old.revoked_at, old.revoked_as, old.compromised_since)) then
    raise exception 'key % stays as enrolled, and revoked once revoked', old.key_id
      using errcode = 'CS010';
  end if;
  return new;
end $$;
`;
