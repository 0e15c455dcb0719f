export const doorFunctions = `select 1`;
