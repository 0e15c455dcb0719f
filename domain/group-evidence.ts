import type { Policy } from './policy/schema.js';
import type { PersonRecord } from './register.js';

/** What a token of the identity provider said, in the session in which a decision was made. */
export interface Claim {
  /** Empty where the claim is missing or overflowed: then there are no groups. */
  readonly groups: readonly string[];
  /** When the token was issued, in ms. */
  readonly tokenIssuedAtMs: number;
}

/** A group that counted for a person, where that was read, and how old it was at receipt, in ms. */
export interface GroupEvidence {
  readonly group: string;
  readonly source: 'register' | 'policy' | 'claim';
  readonly ageMs: number;
}

/** A token's word on groups counts for this long. In ms. */
export const CLAIM_AGE_MAX_MS = 15 * 60_000;
const GROUPS_MAX = 200;

/** The groups that a token's claim gives at this moment: none from one that is older than 15 minutes, or of the future. */
export function claimedGroups(claim: Claim | undefined, nowMs: number): readonly string[] {
  if (claim === undefined || claim.groups.length > GROUPS_MAX) return [];
  const ageMs = nowMs - claim.tokenIssuedAtMs;
  return ageMs >= 0 && ageMs <= CLAIM_AGE_MAX_MS ? claim.groups : [];
}

/** Each group that counts for a person at this moment, with where it comes from: kept beside the decision. */
export function groupEvidence(
  person: PersonRecord,
  { policy, claim, nowMs }: { policy: Policy; claim?: Claim | undefined; nowMs: number },
): GroupEvidence[] {
  const listed = policy.groups.filter(({ persons }) => persons.includes(person.person));
  return [
    ...person.groups.map((group) => ({ group, source: 'register' as const, ageMs: 0 })),
    ...listed.map(({ name }) => ({ group: name, source: 'policy' as const, ageMs: 0 })),
    ...claimedGroups(claim, nowMs).map((group) => ({
      group,
      source: 'claim' as const,
      ageMs: nowMs - (claim?.tokenIssuedAtMs ?? nowMs),
    })),
  ];
}
