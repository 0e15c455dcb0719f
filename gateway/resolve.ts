import type { SignatureVerdict } from '../domain/check-signature.js';
import { resolveMessageSchema, resumeMessageSchema } from '../domain/documents.js';
import type { ResolveMessage } from '../domain/documents.js';
import { Failure } from '../domain/errors.js';
import { effectIdOf, idempotencyKeyOf } from '../domain/ids.js';
import type { RunId } from '../domain/ids.js';
import type { EffectStep } from '../domain/steps.js';
import { readResolution } from '../store/resolutions.js';
import { wasHeldFromAbove, wasLifted, widerStops } from '../store/stop-scope.js';
import type { ResolveVerdict } from './contract.js';
import type { EffectRow } from './door-contract.js';
import { contextOf } from './effect.js';
import { liftFence, verdictOf } from './lift-fence.js';
import { refuseOrder, recordOrder } from './orders.js';
import type { Parts } from './parts.js';
import { reading } from './reading.js';
import { bundleOf, loadPlanned, loadRun, recordedEffect } from './record.js';
import { orderDigestOf, readMessage, reasonOf } from './signed.js';

/**
 * A signed way on for a stuck run. `retry` is a word; `done-by-hand` is believed only after read-back; `give-up` leaves
 * the residue on record. A refusal is recorded by reason and changes nothing.
 */
export async function resolve(
  parts: Parts,
  runId: RunId,
  message: unknown,
): Promise<ResolveVerdict> {
  const read = parsed(message, (value) => resolveMessageSchema.safeParse(value));
  if ('reason' in read) return refuseOrder(parts, runId, 'resolve', read.reason);
  const order = read.message;
  if (order.runId !== runId) return refuseOrder(parts, runId, 'resolve', 'run-mismatch');
  const known = await readResolution(parts.db, orderDigestOf(order));
  if (known?.accepted === true) return { accepted: true, action: order.action, by: order.by };
  const run = await loadRun(parts, runId);
  const since = run.row.door_at ?? run.row.admitted_at;
  const verdict = await verdictOf(parts, order, since);
  if (!verdict.good) return refuseOrder(parts, runId, 'resolve', verdict.reason);
  if (order.step === 'verify-site' && order.action !== 'retry')
    return refuseOrder(parts, runId, 'resolve', 'nothing-to-resolve');
  return act(parts, runId, order, verdict.signed);
}

async function act(
  parts: Parts,
  runId: RunId,
  order: ResolveMessage,
  signed: SignatureVerdict & { readonly good: true },
): Promise<ResolveVerdict> {
  const step = order.step as EffectStep;
  const row = await parts.door.row(
    effectIdOf({ instance: parts.instance, runId, step, kind: 'act' }),
  );
  const undone =
    order.action === 'done-by-hand' ? await readUndone(parts, runId, { step, row }) : undefined;
  if (undone !== undefined && 'reason' in undone)
    return refuseOrder(parts, runId, 'resolve', undone.reason);
  const spent = await recordOrder(parts, runId, order, signed);
  if (spent !== undefined) return refuseOrder(parts, runId, 'resolve', spent);
  if (undone !== undefined)
    await parts.door.closeRow({ runId, step, outcome: 'done-by-hand', ...undone });
  // With the door still open, giving up is only the cause on record: the unwinding that follows closes the row.
  if (order.action === 'give-up' && row?.state === 'closing')
    await parts.door.closeRow({
      runId,
      step,
      outcome: 'given-up',
      refundedMinor: 0,
      residue: {
        minor: row.capturedMinor - row.refundedMinor,
        text: `given up by ${order.by}: ${order.reason}`.slice(0, 2_000),
      },
      caseText: `${step} of ${runId} was given up by ${order.by}${await whatBecomesOf(parts, runId, row)}`,
    });
  return { accepted: true, action: order.action, by: order.by };
}

/** What is given up stays, but for a subscription: Stripe cancels it with its customer, which is taken back after it. */
async function whatBecomesOf(
  parts: Parts,
  runId: RunId,
  { object, step }: EffectRow,
): Promise<string> {
  if (object === undefined) return '';
  const customer =
    step === 'start-subscription'
      ? await parts.door.row(
          effectIdOf({ instance: parts.instance, runId, step: 'create-customer', kind: 'act' }),
        )
      : undefined;
  return customer?.object === undefined || customer.state === 'closed'
    ? `: ${object} stays`
    : `: ${object} ends with its customer ${customer.object}, which is still to be deleted; nothing is refunded`;
}

type Undone =
  | {
      readonly refundedMinor: number;
      readonly residue: { readonly minor: number; readonly text: string };
    }
  | { readonly reason: string };

/** Is it really done? The provider is asked, whatever the signed word says. */
async function readUndone(
  parts: Parts,
  runId: RunId,
  { step, row }: { step: EffectStep; row: EffectRow | undefined },
): Promise<Undone> {
  if (row?.state !== 'closing' || row.object === undefined) return { reason: 'nothing-to-resolve' };
  const run = await loadPlanned(parts, runId);
  const effect = await recordedEffect(parts, run, step, { role: 'reads' });
  const made = { object: row.object, capturedMinor: row.capturedMinor, fields: row.fields };
  const ctx = contextOf(effect, parts.providers.forReading('reads'), {
    key: idempotencyKeyOf(effect.effectId, 0),
    bundle: bundleOf(parts),
  });
  const { reversal } = effect;
  const seen = await reading(effect.provider, reversal.name, reversal.classify, () =>
    reversal.readBack(ctx, effect.params, made),
  );
  return seen.done
    ? { refundedMinor: seen.refundedMinor, residue: seen.residue }
    : { reason: 'not-done' };
}

/**
 * Lets a held run go on, on a signed statement that lifted a stop over it, once: its own, or a wider one. Nothing goes
 * on under a stop that still stands.
 */
export async function resume(
  parts: Parts,
  runId: RunId,
  message: unknown,
): Promise<ResolveVerdict> {
  const read = parsed(message, (value) => resumeMessageSchema.safeParse(value));
  if ('reason' in read) return refuseOrder(parts, runId, 'resume', read.reason);
  const { scope, by } = read.message;
  if (scope.startsWith('run/') && scope !== `run/${runId}`)
    return refuseOrder(parts, runId, 'resume', 'run-mismatch');
  await loadRun(parts, runId);
  // Going on under a wider stop would meet that one at the next step.
  const wider = await widerStops(parts.db, runId);
  if (scope === `run/${runId}` && wider.length > 0)
    return refuseOrder(parts, runId, 'resume', 'still-stopped');
  // What this statement lifted before, here by an earlier try or by whoever sent it to all runs, stays lifted.
  if (!(await wasLifted(parts.db, scope, orderDigestOf(read.message)))) {
    const lifted = await liftFence(parts, read.message);
    // Held by a wider stop that somebody has lifted since, without its word reaching this run.
    const free =
      !lifted.lifted &&
      lifted.reason === 'nothing-to-lift' &&
      scope === `run/${runId}` &&
      (await wasHeldFromAbove(parts.db, runId));
    if (!lifted.lifted && !free)
      return refuseOrder(parts, runId, 'resume', lifted.reason, lifted.missing);
  }
  const [standing] = await parts.door.fences(runId);
  return standing === undefined
    ? { accepted: true, action: 'resume', by }
    : refuseOrder(parts, runId, 'resume', 'still-stopped');
}

function parsed<T>(
  message: unknown,
  parse: (value: unknown) => { success: true; data: T } | { success: false },
): { readonly message: T } | { readonly reason: string } {
  try {
    const result = parse(readMessage(message).value);
    return result.success ? { message: result.data } : { reason: 'malformed' };
  } catch (error) {
    return { reason: reasonOf(error) };
  }
}

/** Marks a step as failed for good: the cause of an unwinding. @throws REQUEST_INVALID for a code that is none */
export function failureOf(code: string, message: string): { code: string; message: string } {
  if (!/^[A-Z][A-Z_]{2,40}$/.test(code))
    throw new Failure('REQUEST_INVALID', `${JSON.stringify(code.slice(0, 60))} is no failure code`);
  return { code, message };
}
