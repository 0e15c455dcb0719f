import { Failure } from '../domain/errors.js';
import { parseAmount } from '../domain/money.js';
import { parsePolicy, type Policy } from '../domain/policy/schema.js';
import type { Database } from '../store/connect.js';
import { currentPolicy } from '../store/policies.js';

/** The policy in force. @throws POLICY_MISSING */
export async function readPolicy(
  db: Database,
): Promise<{ readonly version: number; readonly digest: string; readonly policy: Policy }> {
  const row = await currentPolicy(db);
  if (row === undefined) throw new Failure('POLICY_MISSING', 'no policy is in force');
  return {
    version: row.version,
    digest: row.digest,
    policy: parsePolicy(JSON.parse(row.document)),
  };
}

/** The policy's cap for a ledger scope such as `agent:a_x`, in minor units; undefined where it has none of its own. */
export async function policyCaps(db: Database): Promise<(scope: string) => number | undefined> {
  const { caps } = (await readPolicy(db)).policy;
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
