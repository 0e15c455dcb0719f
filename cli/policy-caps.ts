import { capOfScope } from '../domain/policy/scope-caps.js';
import { policyInForce } from '../gateway/policy.js';
import { budgetsOfRuns } from '../store/overview.js';
import { ceremonyOf } from './ceremony.js';
import type { Context } from './context.js';

/** The cap of a ledger scope by the policy in force, in minor units; undefined where there is none. */
export async function policyCaps(context: Context): Promise<(scope: string) => number | undefined> {
  const db = await context.database();
  const { policy } = await policyInForce(db, await ceremonyOf(context));
  return capOfScope(policy, await budgetsOfRuns(db));
}
