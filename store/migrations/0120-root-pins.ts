/** The root keys that this installation was opened with, each time they changed: another set is not taken silently. */
export const rootPins = `
create table root_pins (
  pin_id bigint generated always as identity primary key,
  root_keys text[] not null check (cardinality(root_keys) > 0),
  recovered boolean not null,
  pinned_at timestamptz not null default countersign_now()
);
create trigger root_pins_rows before update or delete on root_pins
  for each row execute function forbid_change();
create trigger root_pins_all before truncate on root_pins
  for each statement execute function forbid_change();
`;
