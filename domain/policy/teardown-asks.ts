import type { ActionDocument } from '../documents.js';
import type { Request } from '../request.js';
import type { Policy } from './schema.js';
import type { Ask } from './verdict.js';

/**
 * What holds of every action that takes something down, whatever the tiers say: a person agrees, in production by
 * sign-off, since what is gone is not made again. What the policy no longer allows to be made may still be taken down.
 */
export function teardownAsks(policy: Policy, request: Request, action: ActionDocument): Ask[] {
  const { costMaxMinor, currency, params, step } = action;
  const floor = action.environment === 'production' ? ('sign-off' as const) : ('approve' as const);
  return [
    // guard: the floor of every teardown.
    { verdict: floor, rule: 'teardown', text: 'what is torn down is not made again' },
    ...(params['run'] === request.tearsDown
      ? []
      : [denied('request', `only what ${request.tearsDown ?? ''} made is to be torn down`)]),
    ...(costMaxMinor === 0 && currency === policy.currency
      ? []
      : [denied('request', `tearing down ${step} must not cost anything`)]),
  ];
}

const denied = (rule: string, text: string): Ask => ({ verdict: 'denied', rule, text });
