import { buildPlan } from '../domain/build-plan.js';
import { redecideTeardown } from '../domain/build-teardown.js';
import { isDigest, parseInstance, parseRunId } from '../domain/ids.js';
import { invariant } from '../domain/errors.js';
import type { Plan, Quote } from '../domain/plan.js';
import { diffPolicies, type PolicyDiff, type RunUnderBoth } from '../domain/policy/diff.js';
import { policyDigestOf, type Policy } from '../domain/policy/schema.js';
import { parseRequest } from '../domain/request.js';
import { readPrincipal } from '../store/admissions.js';
import type { Database } from '../store/connect.js';
import { acceptedTerms } from '../store/terms.js';

/**
 * Decides every recorded run again, with both policies, over what it was quoted last: as if it were planned anew. Caps
 * and counts over time are not played again: they depend on the order of runs.
 */
export async function diffOverRuns(
  { db, instance }: { readonly db: Database; readonly instance: string },
  policies: { readonly old: Policy; readonly new: Policy },
): Promise<PolicyDiff> {
  const rows = await db
    .selectFrom('runs')
    .innerJoin('plans', (join) =>
      join
        .onRef('plans.run_id', '=', 'runs.run_id')
        .onRef('plans.revision', '=', 'runs.plan_revision'),
    )
    .select(['runs.run_id', 'runs.request', 'runs.principal', 'plans.plan', 'plans.quote'])
    .orderBy('runs.admitted_at')
    .execute();
  const runs: RunUnderBoth[] = [];
  for (const row of rows) {
    const known = await readPrincipal(db, row.principal);
    const before = JSON.parse(row.plan) as Plan;
    const request = parseRequest(JSON.parse(row.request));
    const quote = JSON.parse(row.quote) as Quote;
    const asked = before.terms.map(({ digest }) => digest);
    const accepted = await acceptedTerms(db, row.principal);
    const under = (policy: Policy): Plan => {
      const policyDigest = policyDigestOf(policy);
      invariant(isDigest(policyDigest), 'a policy has a digest');
      const decided = { request, policy, policyVersion: 1, policyDigest };
      if (request.tearsDown !== undefined)
        return redecideTeardown(before, { ...decided, nowMs: Date.parse(quote.quotedAt) });
      return buildPlan({
        ...decided,
        instance: parseInstance(instance),
        runId: parseRunId(row.run_id),
        revision: 1,
        quote,
        // Whoever was erased is decided about all the same: the policy never looks at who it is.
        principal: {
          principalId: row.principal,
          email: known?.email ?? 'erased@example.com',
          name: known?.name ?? 'erased',
          salt: known?.salt ?? '0'.repeat(64),
        },
        acceptedTerms: accepted.filter((digest) => !asked.includes(digest)),
      });
    };
    runs.push({ runId: row.run_id, old: under(policies.old), new: under(policies.new) });
  }
  return diffPolicies(runs);
}
