import type { Policy } from './policy/schema.js';
import type { PersonRecord } from './register.js';

/**
 * A group that counted for a person at receipt, and where that was read: kept beside the decision for whoever looks at it
 * later. Nothing is decided by it: at use groups are read again.
 */
export interface GroupEvidence {
  readonly group: string;
  readonly source: 'register' | 'policy';
  /** How old it was, in ms: both are read in the transaction that accepts. */
  readonly ageMs: number;
}

/** Each group that counts for a person, with where it comes from. */
export function groupEvidence(person: PersonRecord, policy: Policy): GroupEvidence[] {
  const listed = policy.groups.filter(({ persons }) => persons.includes(person.person));
  return [
    ...person.groups.map((group) => ({ group, source: 'register' as const, ageMs: 0 })),
    ...listed.map(({ name }) => ({ group: name, source: 'policy' as const, ageMs: 0 })),
  ];
}
