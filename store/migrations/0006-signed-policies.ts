/** What put a policy in force: the signed statements, as they were received, and the reason they give. */
export const signedPolicies = `
alter table policies add column statements text not null default '[]';
alter table policies add column reason text not null default '';
`;
