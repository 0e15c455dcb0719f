import { Failure, invariant } from '../domain/errors.js';
import { effectIdOf, idempotencyKeyOf } from '../domain/ids.js';
import type { EffectId, RunId } from '../domain/ids.js';
import type { EffectStep } from '../domain/steps.js';
import type { Reversed, Sender } from './contract.js';
import { mark } from './deadline.js';
import type { CloseAsk, EffectRow } from './door-contract.js';
import { contextOf, providerFailure, readBack } from './effect.js';
import type { Effect } from './effect.js';
import type { Found } from './operation.js';
import type { Parts } from './parts.js';
import { detailsOf, reading } from './providers.js';
import { bundleOf, loadPlanned, resolvedEffect } from './record.js';
import { report } from './report.js';
import type { Transmission } from './send-once.js';

/**
 * One step back: marks the row, waits until nothing can arrive any more, settles what is found, looks whether others
 * use it, reverses, reads back, closes the row. Answers `done: false` where only time or a provider is waited for.
 * @throws NO_CAUSE, USED_BY_OTHERS, COMPENSATION_FAILED, OUTCOME_UNKNOWN
 */
export async function reverse(
  parts: Parts,
  runId: RunId,
  step: EffectStep,
  sender: Sender,
): Promise<Reversed> {
  const run = await loadPlanned(parts, runId);
  // The row is marked first: from here on no sender is let through, and a run reported completed cannot be reversed.
  const row = await parts.door.markClosing(runId, step);
  if (row.state === 'closed') return taken(parts, runId, step);
  if (row.tombstone || row.attempt === 0) {
    await close(parts, runId, step, { outcome: 'never-happened', ...NOTHING });
    return taken(parts, runId, step);
  }
  const effect = await resolvedEffect(parts, run, step, {
    role: 'compensations',
    signal: sender.signal,
  });
  const made = await settledObject(parts, effect, row, sender);
  if ('done' in made) return made;
  if ('absent' in made) {
    await close(parts, runId, step, { outcome: 'never-happened', ...NOTHING });
    return taken(parts, runId, step);
  }
  const waits = await undo(parts, { runId, effect, made, sender });
  return waits ?? taken(parts, runId, step);
}

const NOTHING = { refundedMinor: 0, residue: { minor: 0, text: '' } } as const;

type Settlement = Found | { readonly absent: true } | Extract<Reversed, { done: false }>;

/** What the effect made, as settled; reads back where no answer had told. Captures what it finds. */
async function settledObject(
  parts: Parts,
  effect: Effect,
  row: EffectRow,
  sender: Sender,
): Promise<Settlement> {
  if (row.object !== undefined)
    return { object: row.object, capturedMinor: row.capturedMinor, fields: row.fields };
  // A request that is still on its way is waited for: an early "absent" proves nothing.
  if (row.sendByInMs !== undefined && row.sendByInMs > 0)
    return {
      done: false,
      waitMs: row.sendByInMs,
      why: `${effect.step}: a request may be on its way`,
    };
  const ticket = await parts.door.startRead(effect.effectId);
  const seen = await readBack(parts, effect, {
    role: 'compensations',
    signal: sender.signal,
    bundle: bundleOf(parts),
  });
  if (seen.kind === 'pending') return { done: false, waitMs: seen.waitMs, why: seen.why };
  const standing = await parts.door.recordRead(ticket, seen.kind === 'found');
  if (seen.kind === 'found') {
    await parts.door.settle({
      effectId: effect.effectId,
      attempt: row.attempt,
      outcome: 'succeeded',
      foundBy: 'unwinder',
      object: seen.object,
      fields: seen.fields,
      capturedMinor: seen.capturedMinor,
      evidence: { readBack: true },
    });
    return seen;
  }
  if (standing.surelyAbsent) return { absent: true };
  return {
    done: false,
    waitMs: standing.nextReadInMs,
    why: `${effect.step}: not there, and not yet surely absent`,
  };
}

interface Undo {
  readonly runId: RunId;
  readonly effect: Effect;
  readonly made: Found;
  readonly sender: Sender;
}

/** Reverses under the undo row and closes the forward row; answers what is waited for, if anything. */
async function undo(
  parts: Parts,
  of: Undo,
): Promise<Extract<Reversed, { done: false }> | undefined> {
  const { effect, made, runId, sender } = of;
  const { reversal } = effect;
  const undoId = effectIdOf({ instance: parts.instance, runId, step: effect.step, kind: 'undo' });
  const reads = contextOf(effect, parts.providers.forReading('compensations', sender.signal), {
    key: idempotencyKeyOf(undoId, 0),
    bundle: bundleOf(parts),
  });
  const readNow = () =>
    reading(effect.provider, reversal.name, reversal.classify, () =>
      reversal.readBack(reads, effect.params, made),
    );
  // Looked at before and after: what a crashed attempt has undone already is neither judged nor undone again.
  const before = await readNow();
  if (!before.done)
    await reading(effect.provider, reversal.name, reversal.classify, () =>
      reversal.inspect(reads, effect.params, made),
    );
  const seen = await unlessDoneBy(readNow, async () => {
    const waits = await sendReversal(parts, of, { undoId, send: !before.done });
    return waits ?? (before.done ? before : readNow());
  });
  if (!seen.done) return seen;
  await closeUndone(parts, of, seen);
  return undefined;
}

/** What is refused because somebody else was quicker is no failure: the world is asked before a person is. */
async function unlessDoneBy<T extends { readonly done: boolean }>(
  readNow: () => Promise<T>,
  body: () => Promise<T>,
): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'COMPENSATION_FAILED') throw error;
    const seen = await readNow();
    if (seen.done) return seen;
    throw error;
  }
}

/** The reversal's requests, under a grant of the door for the undo row. */
async function sendReversal(
  parts: Parts,
  { runId, effect, made, sender }: Undo,
  { undoId, send }: { readonly undoId: EffectId; readonly send: boolean },
): Promise<Extract<Reversed, { done: false }> | undefined> {
  const before = mark(parts.clocks);
  const answer = await parts.door.authorizeUndo({
    runId,
    step: effect.step,
    httpTimeoutMs: parts.httpTimeouts[effect.provider],
    sender: sender.token,
  });
  if (answer.verdict === 'wait')
    return {
      done: false,
      waitMs: answer.waitMs,
      why: `${effect.step}: another reversal is under way`,
    };
  if (answer.verdict === 'exists')
    return {
      done: false,
      waitMs: 1_000,
      why: `${effect.step}: the reversal is ${answer.row.state}`,
    };
  if (answer.verdict === 'refused')
    throw new Failure(
      answer.reason === 'NO_CAUSE' ? 'NO_CAUSE' : 'COMPENSATION_FAILED',
      `${effect.step} may not be reversed: ${answer.reason}: ${answer.detail}`,
      { step: effect.step, reason: answer.reason },
    );
  const transmission: Transmission = { begun: 0, changes: new Set() };
  const clients = parts.providers.forSending('compensations', {
    deadline: before.deadlineAfter(answer.remainingMs),
    transmission,
  });
  const ctx = contextOf(effect, clients, {
    key: idempotencyKeyOf(undoId, answer.epoch),
    bundle: bundleOf(parts),
  });
  const settle = (
    outcome: 'succeeded' | 'unstored-refusal' | 'stored-final' | 'stored-500' | 'unknown',
    evidence: Record<string, string | number | boolean>,
  ): Promise<unknown> =>
    parts.door.settle({ effectId: undoId, attempt: answer.attempt, outcome, evidence });
  try {
    sender.failpoint?.('before-reverse');
    if (send) await effect.reversal.reverse(ctx, effect.params, made);
    sender.failpoint?.('after-reverse');
  } catch (error) {
    if (error instanceof Failure) {
      await settle('unknown', { code: error.code });
      throw error;
    }
    const classified = effect.reversal.classify(error);
    await settle(transmission.begun === 0 ? 'unstored-refusal' : classified.proof, {
      code: classified.code,
      ...detailsOf(classified),
    });
    throw reversalFailure(effect, classified, transmission);
  }
  // What it did is read back, not believed: until then another attempt may follow.
  await settle('unknown', { sent: transmission.begun > 0 });
  return undefined;
}

/** What may be tried again stays so; everything else needs a person. */
function reversalFailure(
  effect: Effect,
  classified: ReturnType<Effect['reversal']['classify']>,
  transmission: Transmission,
): Failure {
  const again =
    transmission.begun === 0 ||
    classified.code === 'OUTCOME_UNKNOWN' ||
    classified.code === 'PROVIDER_UNAVAILABLE';
  const failure = providerFailure(effect, classified, undefined, effect.reversal.name);
  if (again) return new Failure('OUTCOME_UNKNOWN', `reversing ${failure.message}`, failure.details);
  return new Failure('COMPENSATION_FAILED', `reversing ${failure.message}`, failure.details);
}

async function closeUndone(
  parts: Parts,
  { runId, effect, made }: Undo,
  undone: { readonly refundedMinor: number; readonly residue: CloseAsk['residue'] },
): Promise<void> {
  const caseText = effect.reversal.caseText?.(effect.params, made);
  await close(parts, runId, effect.step, {
    outcome: effect.document.reversal === 'compensate' ? 'reversed' : 'mitigated',
    refundedMinor: undone.refundedMinor,
    residue: undone.residue,
    ...(caseText === undefined ? {} : { caseText }),
  });
}

const close = (
  parts: Parts,
  runId: RunId,
  step: EffectStep,
  how: Omit<CloseAsk, 'runId' | 'step'>,
): Promise<void> => parts.door.closeRow({ runId, step, ...how });

async function taken(parts: Parts, runId: RunId, step: EffectStep): Promise<Reversed> {
  const { steps } = await report(parts, runId);
  const done = steps.find((reported) => reported.step === step);
  invariant(done, `the report of ${runId} has a line for ${step}`);
  return { done: true, report: done };
}
