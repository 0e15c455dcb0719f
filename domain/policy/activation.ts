import type { Rule } from '../documents.js';
import { EFFECT_STEPS } from '../steps.js';
import { approvalFor } from './decide.js';
import type { Policy } from './schema.js';

/**
 * Who may put another policy in force: whom the policy in force names for it, else everybody who would have to agree to
 * the dearest actions in production. Undefined: nobody.
 */
export function activationRule(policy: Policy): Rule | undefined {
  return (
    policy.activation ??
    approvalFor(policy, {
      tier: 'sign-off',
      request: { environment: 'production', data: 'restricted' },
      steps: EFFECT_STEPS,
      amountMinor: Number.MAX_SAFE_INTEGER,
    })
  );
}

/** The groups whose members admit another person's key, and revoke it. Undefined: nobody. */
export function keyAdministrators(policy: Policy): readonly string[] | undefined {
  const named = policy.keys?.administrators;
  return named === undefined ? activationRule(policy)?.allOf.map(({ group }) => group) : [named];
}
