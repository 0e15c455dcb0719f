import { parseAmount } from '../money.js';
import type { ProviderName } from '../steps.js';
import type { Policy } from './schema.js';

/** One cap that a reservation falls under; amounts in minor units of the policy's currency. */
export interface Cap {
  /** `organisation`, `principal:pr_x`, `agent:a_x`, `provider:stripe`, `principal-provider:pr_x:stripe`, `run:<id>`. */
  readonly scope: string;
  readonly capMinor: number;
}

/** Every cap of the policy in force over one charge. A request's budget only ever lowers the run's. @throws REQUEST_INVALID for a bad budget */
export function capsFor(
  policy: Policy,
  of: { principal: string; agent: string; provider: ProviderName; runId: string },
  budget: string,
): Cap[] {
  const { caps } = policy;
  const minor = (text: string): number => parseAmount(text).minor;
  return [
    { scope: 'organisation', capMinor: minor(caps.organisation) },
    { scope: `principal:${of.principal}`, capMinor: minor(caps.principal) },
    { scope: `agent:${of.agent}`, capMinor: minor(caps.agent) },
    { scope: `provider:${of.provider}`, capMinor: minor(caps.provider) },
    {
      scope: `principal-provider:${of.principal}:${of.provider}`,
      capMinor: minor(caps.principalProvider),
    },
    { scope: `run:${of.runId}`, capMinor: Math.min(minor(caps.run), minor(budget)) },
  ];
}
