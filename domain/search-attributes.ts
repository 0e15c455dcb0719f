/** The search attributes that workflows upsert, with Temporal's types: one that is missing hangs a run, it does not fail it. */
export const SEARCH_ATTRIBUTE_TYPES = {
  Phase: 'Keyword',
  AwaitingApproval: 'Bool',
  Agent: 'Keyword',
  Principal: 'Keyword',
  Domain: 'Keyword',
  Environment: 'Keyword',
  Provider: 'Keyword',
  SpentMinor: 'Int',
} as const;
