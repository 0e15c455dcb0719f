import { canonicalize } from '../domain/canonical.js';
import type { SignatureVerdict } from '../domain/check-signature.js';
import type { ResolveMessage, Signature } from '../domain/documents.js';
import type { RunId } from '../domain/ids.js';
import { recordRefusal } from '../store/refusals.js';
import { insertResolution } from '../store/resolutions.js';
import type { ResolveVerdict } from './contract.js';
import type { Parts } from './parts.js';
import { orderDigestOf } from './signed.js';
import { spendCounter } from './spend-counter.js';

/** Puts a signed word that counts on record, once, whatever comes of it; a reason when its counter is spent already. */
export async function recordOrder(
  { db }: Pick<Parts, 'db'>,
  runId: RunId,
  order: ResolveMessage,
  signed: SignatureVerdict & { readonly good: true },
): Promise<string | undefined> {
  return db.transaction().execute(async (tx) => {
    const spent = await spendCounter(tx, signed);
    if (spent !== undefined) return spent;
    await insertResolution(tx, {
      digest: orderDigestOf(order),
      runId,
      step: order.step,
      action: order.action,
      person: order.by,
      keyId: order.keyId,
      statement: canonicalize(order),
      signature: signatureText(order.signature),
      reason: order.reason,
    });
    return undefined;
  });
}

/** The signature itself, base64url; what else a passkey said stands in the message. */
export const signatureText = (signature: Signature): string =>
  signature.kind === 'ed25519' ? signature.value : signature.signature;

/** Puts the refusal of an order on record by its reason; nothing else changes. */
export async function refuseOrder(
  { db }: Pick<Parts, 'db'>,
  runId: RunId,
  asked: 'resolve' | 'resume',
  reason: string,
  detail = `${asked} of ${runId}`,
): Promise<ResolveVerdict> {
  await recordRefusal(db, { runId, asked, reason, detail });
  return { accepted: false, reason };
}
