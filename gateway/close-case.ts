import { canonicalize } from '../domain/canonical.js';
import { mayClose } from '../domain/cases.js';
import { closeCaseMessageSchema, type CloseCaseMessage } from '../domain/close-case.js';
import { closeCaseRow, lockCase, readCase } from '../store/case-rows.js';
import { recordRefusal } from '../store/refusals.js';
import { verdictOf } from './lift-fence.js';
import type { Parts } from './parts.js';
import { orderDigestOf, readMessage, reasonOf } from './signed.js';
import { spendCounter } from './spend-counter.js';

export type CaseClosed =
  | { readonly closed: true; readonly caseId: number; readonly by: string }
  | { readonly closed: false; readonly reason: string };

/**
 * Closes a case on a signed statement, once; the same statement again answers the same. A refusal is recorded by its
 * reason and changes nothing.
 */
export async function closeCase(
  parts: Pick<Parts, 'db' | 'instance' | 'trust'>,
  message: unknown,
): Promise<CaseClosed> {
  const read = parsed(message);
  if ('reason' in read) return refuse(parts, 'a case', read.reason);
  const order = read.message;
  const digest = orderDigestOf(order);
  const known = await readCase(parts.db, order.caseId);
  if (known === undefined) return refuse(parts, `case ${order.caseId}`, 'case-unknown');
  if (known.close_digest === digest) return { closed: true, caseId: order.caseId, by: order.by };
  const verdict = await verdictOf(parts, order, known.opened_at);
  if (!verdict.good) return refuse(parts, `case ${order.caseId}`, verdict.reason);
  const refusal =
    (known.kind === order.kind ? undefined : 'case-mismatch') ??
    (mayClose({ personId: known.person_id }, order.by) ? undefined : 'excluded-subject');
  if (refusal !== undefined) return refuse(parts, `case ${order.caseId}`, refusal);
  const closed = await parts.db.transaction().execute(async (tx) => {
    const row = await lockCase(tx, order.caseId);
    if (row?.closed_at !== null) return row?.close_digest === digest;
    const spent = await spendCounter(tx, verdict.signed);
    if (spent !== undefined) return spent;
    const { by, reason } = order;
    await closeCaseRow(tx, { row, by, reason, statement: canonicalize(order), digest });
    return true;
  });
  if (typeof closed === 'string') return refuse(parts, `case ${order.caseId}`, closed);
  return closed
    ? { closed, caseId: order.caseId, by: order.by }
    : refuse(parts, `case ${order.caseId}`, 'case-closed');
}

function parsed(
  message: unknown,
): { readonly message: CloseCaseMessage } | { readonly reason: string } {
  try {
    const result = closeCaseMessageSchema.safeParse(readMessage(message).value);
    return result.success ? { message: result.data } : { reason: 'malformed' };
  } catch (error) {
    return { reason: reasonOf(error) };
  }
}

async function refuse(
  { db }: Pick<Parts, 'db'>,
  asked: string,
  reason: string,
): Promise<CaseClosed> {
  await recordRefusal(db, { asked: 'close-case', reason, detail: `close of ${asked}` });
  return { closed: false, reason };
}
