/**
 * Action documents refer to a principal's name and address by a digest; the salt of that digest stands beside the
 * address, so that erasing the row leaves nothing that could be guessed at.
 */
export const erasablePrincipals = `
alter table principals
  add column salt text default replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''),
  add column erased_at timestamptz,
  add constraint principals_erased check (
    (erased_at is null and salt is not null) or
    (erased_at is not null and email is null and salt is null and name = ''));
`;
