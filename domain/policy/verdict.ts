import type { Rule } from '../documents.js';
import type { Tier } from '../steps.js';

export interface Reason {
  /** A path in the policy document. */
  readonly rule: string;
  readonly text: string;
}

/** What the policy says of one action. `why` holds the rules that ask for this verdict and no less. */
export interface Verdict {
  readonly verdict: Tier | 'denied';
  readonly why: readonly Reason[];
  /** Who must agree; present for `approve` and `sign-off`. */
  readonly approval?: Rule;
}

export interface Ask extends Reason {
  readonly verdict: Tier | 'denied';
}

const ORDER = { autonomous: 0, approve: 1, 'sign-off': 2, denied: 3 } as const;

export function isStricter(one: Verdict['verdict'], other: Verdict['verdict']): boolean {
  return ORDER[one] > ORDER[other];
}

/** The strictest of what was asked, with everything that asks for it. Nothing asked is denied: nothing allowed it. */
export function strictest(asks: readonly Ask[]): Verdict {
  let verdict: Verdict['verdict'] = asks.length === 0 ? 'denied' : 'autonomous';
  for (const ask of asks) if (isStricter(ask.verdict, verdict)) verdict = ask.verdict;
  return {
    verdict,
    why: asks.filter((ask) => ask.verdict === verdict).map(({ rule, text }) => ({ rule, text })),
  };
}

/** Rules together: every group of each, with the highest count. */
export function joinRules(rules: readonly Rule[]): Rule | undefined {
  const counts = new Map<string, number>();
  for (const { allOf } of rules)
    for (const { group, count } of allOf)
      counts.set(group, Math.max(counts.get(group) ?? 0, count));
  if (counts.size === 0) return undefined;
  return {
    allOf: [...counts]
      .map(([group, count]) => ({ group, count }))
      .sort((one, other) => (one.group < other.group ? -1 : 1)),
  };
}

/** Does `asked` want a group, or more of one, than `granted` has gathered? */
export function ruleAsksMore(asked: Rule, granted: Rule): boolean {
  return asked.allOf.some(
    ({ group, count }) =>
      (granted.allOf.find((other) => other.group === group)?.count ?? 0) < count,
  );
}

/** Would a grant under `rule` fall short of what the policy says now? */
export function asksMoreThan(now: Verdict, rule: Rule): boolean {
  if (now.verdict === 'autonomous') return false;
  // Without a rule nobody can have agreed: a verdict that asks for people names them.
  return now.verdict === 'denied' || now.approval === undefined || ruleAsksMore(now.approval, rule);
}

/** Is `now` a stricter verdict than `then`? Only that voids a grant: a comment edited in the policy does not. */
export function stricterThan(now: Verdict, then: Verdict): boolean {
  if (isStricter(now.verdict, then.verdict)) return true;
  if (now.verdict !== then.verdict || now.approval === undefined) return false;
  return then.approval === undefined || ruleAsksMore(now.approval, then.approval);
}
