import type { Rule } from './documents.js';

/** One person who said yes, and the groups that count for them at this moment. */
export interface Approval {
  readonly person: string;
  readonly groups: readonly string[];
}

export interface RuleStanding {
  readonly satisfied: boolean;
  /** What is still missing, in words; empty when satisfied. */
  readonly missing: string;
}

/**
 * N of each group, AND across groups. Persons are counted, once each: whoever fills a place in one group
 * does not fill one in another.
 */
export function evaluateRule(rule: Rule, approvals: readonly Approval[]): RuleStanding {
  const distinct = new Map(approvals.map((approval) => [approval.person, approval]));
  const places = rule.allOf.flatMap(({ group, count }) =>
    Array.from({ length: count }, () => group),
  );
  const holders: (string | undefined)[] = places.map(() => undefined);
  for (const { person, groups } of distinct.values())
    seat(person, { groups, places, holders, groupsOf: (id) => distinct.get(id)?.groups ?? [] });
  const open = new Map<string, number>();
  for (const [index, group] of places.entries())
    if (holders[index] === undefined) open.set(group, (open.get(group) ?? 0) + 1);
  return {
    satisfied: open.size === 0,
    missing: [...open].map(([group, count]) => `${count} more of ${group}`).join(', '),
  };
}

/** `2 of finance and 1 of risk`. */
export const ruleInWords = ({ allOf }: Pick<Rule, 'allOf'>): string =>
  allOf.map(({ group, count }) => `${count} of ${group}`).join(' and ');

interface Seating {
  readonly groups: readonly string[];
  readonly places: readonly string[];
  readonly holders: (string | undefined)[];
  readonly groupsOf: (person: string) => readonly string[];
}

/** Gives a person a place, moving others along where they fit elsewhere (an augmenting path). */
function seat(person: string, of: Seating, tried = new Set<number>()): boolean {
  for (const [index, group] of of.places.entries()) {
    if (tried.has(index) || !of.groupsOf(person).includes(group)) continue;
    tried.add(index);
    const holder = of.holders[index];
    if (holder === undefined || seat(holder, of, tried)) {
      of.holders[index] = person;
      return true;
    }
  }
  return false;
}
