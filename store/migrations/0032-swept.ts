/** When a sweep was last finished: whoever looks after the system sees that none runs. */
export const swept = `
alter table instance add column swept_at timestamptz;
`;
