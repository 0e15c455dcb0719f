import { builtInPolicy, type BuiltInOptions } from '../../domain/policy/built-in.js';
import type { Policy } from '../../domain/policy/schema.js';

/**
 * The built-in policy with tiers of its own for tests of the door: in development only what costs or cannot be undone
 * has a gate, in production everything, and one approver is enough. What the product's own tiers are is tested where
 * they are (test/domain/policy.test.ts).
 */
export function trialPolicy({ override = {}, ...options }: BuiltInOptions = {}): Policy {
  return builtInPolicy({
    ...options,
    override: {
      tiers: [
        { step: 'create-customer', tier: 'autonomous' },
        { step: 'link-account', tier: 'approve' },
        { step: 'start-subscription', tier: 'sign-off' },
        { step: 'register-domain', tier: 'sign-off' },
        { step: 'configure-dns', tier: 'autonomous' },
        { step: 'deploy-site', tier: 'autonomous' },
        { step: 'attach-domain', tier: 'autonomous' },
        { step: '*', environment: 'staging', tier: 'approve' },
        { step: '*', environment: 'production', tier: 'sign-off' },
        { step: '*', amountAbove: '0.00 USD', tier: 'sign-off' },
      ],
      approvals: [
        { tier: 'approve', allOf: [{ group: 'approvers', count: 1 }] },
        { tier: 'sign-off', allOf: [{ group: 'approvers', count: 1 }] },
      ],
      ...override,
    },
  });
}
