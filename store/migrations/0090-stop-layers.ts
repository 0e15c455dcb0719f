/**
 * A stop in layers: beside the fence, since when the agents in its scope are suspended, and since when nothing may be
 * reserved under it. Both stand until the stop is lifted.
 */
export const stopLayers = `
alter table stops add column identity_at timestamptz, add column payment_at timestamptz;
create index stops_standing on stops (scope) where lifted_at is null;
`;
