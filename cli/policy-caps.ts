import { capOfScope } from '../domain/policy/scope-caps.js';
import { policyInForce } from '../gateway/policy.js';
import type { Database } from '../store/connect.js';
import { budgetsOfRuns } from '../store/overview.js';

/** The cap of a ledger scope by the policy in force, in minor units; undefined where there is none. */
export async function policyCaps(db: Database): Promise<(scope: string) => number | undefined> {
  const { policy } = await policyInForce(db);
  return capOfScope(policy, await budgetsOfRuns(db));
}
