import type { Anomaly } from '../domain/anomalies.js';
import { buildTeardown, nothingQuoted, TEARDOWN_STEPS } from '../domain/build-teardown.js';
import type { Made } from '../domain/build-teardown.js';
import { invariant } from '../domain/errors.js';
import { parseRunId } from '../domain/ids.js';
import type { Plan, Quote } from '../domain/plan.js';
import { databaseNow } from '../store/clock.js';
import { stepsTorn } from '../store/teardowns.js';
import type { Parts } from './parts.js';
import type { PolicyInForce } from './policy-row.js';
import { actionAsAuthorized, loadStanding } from './record.js';
import type { RunRecord } from './record.js';
import { usersOf } from './teardown.js';

/**
 * What a teardown is planned from: the settled rows of the completed run, as they were authorized. Reads the record alone:
 * what others have changed at the providers since is looked at right before each action.
 */
export async function tearDown(
  parts: Parts,
  of: { readonly run: RunRecord; readonly inForce: PolicyInForce; readonly tornRun: string },
): Promise<{ quoted: Quote; build: (anomalies: readonly Anomaly[]) => Plan }> {
  const { inForce, run } = of;
  const made = await standingOf(parts, run, of.tornRun);
  const now = await databaseNow(parts.db);
  const build = (anomalies: readonly Anomaly[]): Plan =>
    buildTeardown({
      instance: parts.instance,
      runId: run.runId,
      revision: run.row.plan_revision + 1,
      request: run.request,
      policy: inForce.policy,
      policyVersion: inForce.version,
      policyDigest: inForce.digest,
      nowMs: now.getTime(),
      made,
      anomalies,
    });
  return { quoted: nothingQuoted(now.toISOString()), build };
}

/** What the run made and that still stands, less what an earlier teardown has taken down. */
async function standingOf(
  parts: Parts,
  { runId, row }: RunRecord,
  tornRun: string,
): Promise<readonly Made[]> {
  const torn = parseRunId(tornRun);
  const { run, rows } = await loadStanding(parts, torn);
  const gone = await stepsTorn(parts.db, { runId: torn, by: runId });
  const made: Made[] = [];
  for (const step of TEARDOWN_STEPS) {
    const effect = rows.get(step);
    if (effect?.state !== 'succeeded' || effect.object === undefined || gone.has(step)) continue;
    const { document, digest } = await actionAsAuthorized(parts, run, effect);
    const { account, params } = document;
    const thing = { step, object: effect.object, params };
    const at =
      typeof account === 'string' ? account : rows.get(account.fromStep)?.fields[account.field];
    invariant(at, `${step} of ${torn} was made in an account`);
    made.push({
      ...thing,
      account: at,
      digest,
      paidMinor: effect.capturedMinor - effect.refundedMinor,
      usedBy: await usersOf(parts.db, {
        ...thing,
        runId: torn,
        principal: row.principal,
        domain: row.domain,
      }),
    });
  }
  return made;
}
