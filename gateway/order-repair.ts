import { canonicalize } from '../domain/canonical.js';
import { resolveMessageSchema } from '../domain/documents.js';
import type { ResolveMessage } from '../domain/documents.js';
import { Failure } from '../domain/errors.js';
import { parseRunId } from '../domain/ids.js';
import { readRun } from '../store/admissions.js';
import { recordRefusal } from '../store/refusals.js';
import { insertResolution } from '../store/resolutions.js';
import type { ResolveVerdict } from './contract.js';
import { refusalOf } from './lift-fence.js';
import type { Parts } from './parts.js';
import { orderDigestOf } from './signed.js';

/**
 * A signed word over a run that no workflow listens for any more: the next sweep takes it back, although many have
 * ended at once, or Temporal does not say how. Only `retry` can be said so. A refusal is recorded by reason.
 * @throws RUN_UNKNOWN
 */
export async function orderRepair(
  parts: Pick<Parts, 'db' | 'instance'>,
  message: ResolveMessage,
): Promise<ResolveVerdict> {
  const order = resolveMessageSchema.parse(message);
  const runId = parseRunId(order.runId);
  const row = await readRun(parts.db, runId);
  if (row === undefined) throw new Failure('RUN_UNKNOWN', `no run ${runId} was admitted here`);
  const refusal =
    order.action === 'retry'
      ? await refusalOf(parts, order, row.door_at ?? row.admitted_at)
      : 'nothing-to-resolve';
  if (refusal !== undefined) {
    await recordRefusal(parts.db, {
      runId,
      asked: 'resolve',
      reason: refusal,
      detail: `resolve of ${runId}`,
    });
    return { accepted: false, reason: refusal };
  }
  await insertResolution(parts.db, {
    digest: orderDigestOf(order),
    runId,
    step: order.step,
    action: order.action,
    person: order.by,
    keyId: order.keyId,
    statement: canonicalize(order),
    signature: order.signature.value,
    reason: order.reason,
  });
  return { accepted: true, action: order.action, by: order.by };
}
