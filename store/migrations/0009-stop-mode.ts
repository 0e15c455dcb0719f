/**
 * How a stop wants its runs: taken back, or held still. Which text of the door's functions is in place. And which person
 * of the register a principal is, where they are one: some policies do not let them approve. `LOST`: Temporal does not say
 * how the run ended, and a person has.
 */
export const stopMode = `
alter table stops add column mode text not null default 'unwind' check (mode in ('unwind', 'hold'));
alter table instance add column door_digest text;
alter table temporal_ends drop constraint temporal_ends_status_check,
  add constraint temporal_ends_status_check check (status in ('TERMINATED', 'FAILED', 'TIMED_OUT', 'LOST'));
alter table principals add column person_id text references persons;
`;
