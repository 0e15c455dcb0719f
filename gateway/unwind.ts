import { Failure, invariant } from '../domain/errors.js';
import type { RunId } from '../domain/ids.js';
import type { EffectStep } from '../domain/steps.js';
import { goingBackForMs } from '../store/resolutions.js';
import type { Reversed, Sender } from './contract.js';
import type { EffectRow } from './door-contract.js';
import { readBack } from './effect.js';
import type { Effect } from './effect.js';
import type { Found } from './operation.js';
import { surelyNothing } from './ownership.js';
import type { Parts } from './parts.js';
import { bundleOf, loadPlanned, recordedEffect } from './record.js';
import { report } from './report.js';
import { undo } from './undo.js';
import type { Waits } from './undo.js';

/** What is not back by then needs a person, who may well say `retry`: then it has as long again. In ms. */
const PATIENCE_MS = 3 * 24 * 3_600_000;

/**
 * One step back, as far as it goes now. Answers `done: false` where only time or a provider is waited for, for three days.
 * @throws NO_CAUSE, USED_BY_OTHERS, COMPENSATION_FAILED, OUTCOME_UNKNOWN
 */
export async function reverse(
  parts: Parts,
  runId: RunId,
  step: EffectStep,
  sender: Sender,
): Promise<Reversed> {
  const reversed = await takeBack(parts, runId, step, sender);
  if (reversed.done || (await goingBackForMs(parts.db, runId)) < PATIENCE_MS) return reversed;
  throw new Failure('COMPENSATION_FAILED', `not taken back in three days: ${reversed.why}`, {
    step,
  });
}

/**
 * One step back: marks the row, waits until nothing can arrive any more, settles what is found, looks whether others
 * use it, reverses, reads back, closes the row.
 */
async function takeBack(
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
    await parts.door.closeRow({ runId, step, ...NOTHING });
    return taken(parts, runId, step);
  }
  const effect = await recordedEffect(parts, run, step, {
    role: 'compensations',
    signal: sender.signal,
  });
  const made = await settledObject(parts, effect, row, sender);
  if ('done' in made) return made;
  if ('absent' in made) {
    await parts.door.closeRow({ runId, step, ...NOTHING });
    return taken(parts, runId, step);
  }
  const waits = await undo(parts, { run, runId, effect, made, sender });
  return waits ?? taken(parts, runId, step);
}

const NOTHING = {
  outcome: 'never-happened',
  refundedMinor: 0,
  residue: { minor: 0, text: '' },
} as const;

type Settlement = Found | { readonly absent: true } | Waits;

/** What the effect made, as settled; reads back where no answer had told. Captures what it finds. */
async function settledObject(
  parts: Parts,
  effect: Effect,
  row: EffectRow,
  sender: Sender,
): Promise<Settlement> {
  if (row.object !== undefined)
    return { object: row.object, capturedMinor: row.capturedMinor, fields: row.fields };
  if (await surelyNothing(parts, effect)) return { absent: true };
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

async function taken(parts: Parts, runId: RunId, step: EffectStep): Promise<Reversed> {
  const { steps } = await report(parts, runId);
  const done = steps.find((reported) => reported.step === step);
  invariant(done, `the report of ${runId} has a line for ${step}`);
  return { done: true, report: done };
}
