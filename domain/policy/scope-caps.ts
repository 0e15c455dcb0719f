import { parseAmount } from '../money.js';
import type { Policy } from './schema.js';

/**
 * The cap of a ledger scope such as `agent:a_x`, in minor units, by a policy; a run's own budget (by run id) lowers that
 * of the run. Undefined where there is none.
 */
export function capOfScope(
  { caps }: Policy,
  budgets: ReadonlyMap<string, number>,
): (scope: string) => number | undefined {
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
