import { canonicalize } from '../domain/canonical.js';
import type { ResolveMessage } from '../domain/documents.js';
import type { RunId } from '../domain/ids.js';
import { recordRefusal } from '../store/refusals.js';
import { insertResolution } from '../store/resolutions.js';
import type { ResolveVerdict } from './contract.js';
import type { Parts } from './parts.js';
import { orderDigestOf } from './signed.js';

/** Puts a signed word that counts on record, once, whatever comes of it. */
export async function recordOrder(
  { db }: Pick<Parts, 'db'>,
  runId: RunId,
  order: ResolveMessage,
): Promise<void> {
  await insertResolution(db, {
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
}

/** Puts the refusal of an order on record by its reason; nothing else changes. */
export async function refuseOrder(
  { db }: Pick<Parts, 'db'>,
  runId: RunId,
  asked: 'resolve' | 'resume',
  reason: string,
): Promise<ResolveVerdict> {
  await recordRefusal(db, { runId, asked, reason, detail: `${asked} of ${runId}` });
  return { accepted: false, reason };
}
