import { z } from 'zod';
import { TIERS, type Environment, type Tier } from '../steps.js';
import { environment } from './members.js';

/**
 * Where an agent acts on a person's delegation alone, even the agent of whoever it acts for. All members that are given
 * have to fit; a rule without any fits everything. Absent: an agent needs one where somebody else answers for it.
 */
export const delegationRules = z
  .array(z.strictObject({ environment: environment.optional(), tier: z.enum(TIERS).optional() }))
  .max(20);
type Rules = z.infer<typeof delegationRules>;

/** Does the policy ask for a delegation here, at any of these tiers? */
export function demandsDelegation(
  rules: Rules | undefined,
  of: { readonly environment: Environment; readonly tiers: readonly Tier[] },
): boolean {
  return (rules ?? []).some(
    (rule) =>
      (rule.environment === undefined || rule.environment === of.environment) &&
      (rule.tier === undefined || of.tiers.includes(rule.tier)),
  );
}

/** What `policy explain` says of it. */
export function delegationsExplained(rules: Rules | undefined): string[] {
  const needed = '- You need a delegation of the person on whose behalf you act';
  if (rules === undefined || rules.length === 0)
    return [`${needed} where another person answers for you.`];
  return [
    `${needed} where another person answers for you, and whoever answers for you:`,
    ...rules.map((rule) => {
      const at =
        rule.tier === undefined ? 'for every action' : `for actions at the tier ${rule.tier}`;
      return `- ${at}${rule.environment === undefined ? ' in every environment' : ` in ${rule.environment}`}.`;
    }),
  ];
}
