import { parseAmount } from '../domain/money.js';
import { policyInForce } from '../gateway/policy.js';
import type { Database } from '../store/connect.js';
import { budgetsOfRuns } from '../store/overview.js';

/**
 * The cap of a ledger scope such as `agent:a_x`, in minor units, by the policy in force; a run's own budget lowers
 * that of the run. Undefined where there is none.
 */
export async function policyCaps(db: Database): Promise<(scope: string) => number | undefined> {
  const { caps } = (await policyInForce(db)).policy;
  const budgets = await budgetsOfRuns(db);
  const byKind: Readonly<Record<string, string>> = {
    organisation: caps.organisation,
    principal: caps.principal,
    agent: caps.agent,
    provider: caps.provider,
    'principal-provider': caps.principalProvider,
    run: caps.run,
  };
  return (scope) => {
    const [kind = '', id = ''] = scope.split(':');
    const cap = byKind[kind];
    if (cap === undefined) return undefined;
    const { minor } = parseAmount(cap);
    const budget = kind === 'run' ? budgets.get(id) : undefined;
    return budget === undefined ? minor : Math.min(minor, budget);
  };
}
