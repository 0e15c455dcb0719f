import { resolveMessageSchema } from '../domain/documents.js';
import type { ResolveMessage } from '../domain/documents.js';
import { Failure } from '../domain/errors.js';
import { parseRunId } from '../domain/ids.js';
import { readRun } from '../store/admissions.js';
import type { ResolveVerdict } from './contract.js';
import { verdictOf } from './lift-fence.js';
import { recordOrder, refuseOrder } from './orders.js';
import type { Parts } from './parts.js';

/**
 * A signed word over a run that no workflow listens for any more: the next sweep takes it back, although many have
 * ended at once, or Temporal does not say how. Only `retry` can be said so. A refusal is recorded by reason.
 * @throws RUN_UNKNOWN
 */
export async function orderRepair(
  parts: Pick<Parts, 'db' | 'instance' | 'trust'>,
  message: ResolveMessage,
): Promise<ResolveVerdict> {
  const order = resolveMessageSchema.parse(message);
  const runId = parseRunId(order.runId);
  const row = await readRun(parts.db, runId);
  if (row === undefined) throw new Failure('RUN_UNKNOWN', `no run ${runId} was admitted here`);
  if (order.action !== 'retry') return refuseOrder(parts, runId, 'resolve', 'nothing-to-resolve');
  const verdict = await verdictOf(parts, order, row.door_at ?? row.admitted_at);
  if (!verdict.good) return refuseOrder(parts, runId, 'resolve', verdict.reason);
  const spent = await recordOrder(parts, runId, order, verdict.signed);
  if (spent !== undefined) return refuseOrder(parts, runId, 'resolve', spent);
  return { accepted: true, action: order.action, by: order.by };
}
