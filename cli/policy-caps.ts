import { parseAmount } from '../domain/money.js';
import { policyInForce } from '../gateway/policy.js';
import type { Database } from '../store/connect.js';

/** The policy's cap for a ledger scope such as `agent:a_x`, in minor units; undefined where it has none of its own. */
export async function policyCaps(db: Database): Promise<(scope: string) => number | undefined> {
  const { caps } = (await policyInForce(db)).policy;
  const byKind: Readonly<Record<string, string>> = {
    organisation: caps.organisation,
    principal: caps.principal,
    agent: caps.agent,
    provider: caps.provider,
    'principal-provider': caps.principalProvider,
    run: caps.run,
  };
  return (scope) => {
    const cap = byKind[scope.split(':')[0] ?? ''];
    return cap === undefined ? undefined : parseAmount(cap).minor;
  };
}
