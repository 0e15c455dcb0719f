import { buildPlan } from '../domain/build-plan.js';
import type { RunId } from '../domain/ids.js';
import type { Plan } from '../domain/plan.js';
import type { Request } from '../domain/request.js';
import { readPrincipal } from '../store/admissions.js';
import { unattendedUse } from '../store/allowances.js';
import { acceptedTerms } from '../store/terms.js';
import type { Parts } from './parts.js';
import { quoteRun } from './planning.js';
import { policyInForce } from './policy.js';

/** A principal that is not registered has nothing on record: no run, no account, no accepted terms. */
const UNREGISTERED = 'pr_unregistered';

/**
 * What a run of this request would be: quoted and judged as if it were admitted now. Reads only, and writes nothing.
 * @throws POLICY_MISSING, NEEDS_INPUT, PROVIDER_AUTH, PROVIDER_UNAVAILABLE
 */
export async function previewPlan(parts: Parts, runId: RunId, request: Request): Promise<Plan> {
  const inForce = await policyInForce(parts.db, parts);
  const known = await readPrincipal(parts.db, request.principal);
  const principalId = known?.principal_id ?? UNREGISTERED;
  const email = known?.email ?? request.principal;
  const quote = await quoteRun(
    parts,
    { request, principalId, email },
    { inForce, rows: [], former: undefined },
  );
  return buildPlan({
    instance: parts.instance,
    runId,
    revision: 1,
    request,
    quote,
    // Nothing of it is stored: the empty salt is that of nobody.
    principal: { principalId, email, name: known?.name ?? email, salt: known?.salt ?? '' },
    policy: inForce.policy,
    policyVersion: inForce.version,
    policyDigest: inForce.digest,
    acceptedTerms: await acceptedTerms(parts.db, principalId),
    unattended: await unattendedUse(parts.db, { agent: request.agent, runId }),
  });
}
