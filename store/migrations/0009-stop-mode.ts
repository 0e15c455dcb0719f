/** How a stop wants its runs: taken back, or held still. And which text of the door's functions is in place. */
export const stopMode = `
alter table stops add column mode text not null default 'unwind' check (mode in ('unwind', 'hold'));
alter table instance add column door_digest text;
`;
