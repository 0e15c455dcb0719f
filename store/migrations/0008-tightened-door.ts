/** Sites are named by their digest: what is stored under one is written once. */
const bundlesAppendOnly = ['bundles', 'bundle_files']
  .map(
    (table) => `
create trigger ${table}_rows before update or delete on ${table}
  for each row execute function forbid_change();
create trigger ${table}_all before truncate on ${table}
  for each statement execute function forbid_change();`,
  )
  .join('');

const ends = `
alter table runs add constraint runs_end_phase
  check (end_phase in ('completed', 'reversed', 'denied', 'rejected', 'expired'));
`;

export const tightenedDoor = bundlesAppendOnly + ends;
