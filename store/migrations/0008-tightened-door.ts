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

export const tightenedDoor = bundlesAppendOnly;
