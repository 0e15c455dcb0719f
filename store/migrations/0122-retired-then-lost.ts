/**
 * A key that was retired may turn out to have been in other hands: it is called compromised then, once, and stays revoked
 * since the moment it was. Each of the two words stays on record.
 */
export const retiredThenLost = `
alter table key_revocations drop constraint key_revocations_pkey;
alter table key_revocations add primary key (key_id, revoked_as);

create or replace function key_forward() returns trigger language plpgsql as $$
begin
  if row(new.key_id, new.person_id, new.algorithm, new.public_key, new.credential_id, new.rp_id,
         new.handle, new.backup_eligible, new.enrolment, new.active_from)
     is distinct from
     row(old.key_id, old.person_id, old.algorithm, old.public_key, old.credential_id, old.rp_id,
         old.handle, old.backup_eligible, old.enrolment, old.active_from)
     or new.counter < old.counter
     or (old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at)
     or (old.revoked_as is not null and new.revoked_as is distinct from old.revoked_as
         and not (old.revoked_as = 'retired' and new.revoked_as = 'compromised'))
     or (new.compromised_since is distinct from old.compromised_since
         and not (new.revoked_as = 'compromised'
                  and old.revoked_as is distinct from 'compromised')) then
    raise exception 'key % stays as enrolled, and revoked once revoked', old.key_id
      using errcode = 'CS010';
  end if;
  return new;
end $$;
`;
