import { z } from 'zod';
import { Failure } from '../domain/errors.js';
import { effectIdOf, idempotencyKeyOf } from '../domain/ids.js';
import type { EffectId, RunId } from '../domain/ids.js';
import { isTeardown } from '../domain/operations.js';
import { adoptersOf } from '../store/adoptions.js';
import type { Adopter } from '../store/adoptions.js';
import type { Reversed, Sender } from './contract.js';
import { mark } from './deadline.js';
import { contextOf, providerFailure } from './effect.js';
import type { Effect } from './effect.js';
import type { Found, Undone } from './operation.js';
import type { Parts } from './parts.js';
import { detailsOf, reading } from './reading.js';
import { bundleOf } from './record.js';
import type { RunRecord } from './record.js';
import type { Transmission } from './send-once.js';
import { tokenFor } from './tokens.js';
import type { HeldToken } from './tokens.js';

export type Waits = Extract<Reversed, { done: false }>;

interface Undo {
  readonly run: RunRecord;
  readonly runId: RunId;
  readonly effect: Effect;
  readonly made: Found;
  readonly sender: Sender;
}

export async function undo(parts: Parts, of: Undo): Promise<Waits | undefined> {
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
  const adopters = await adoptersOfThis(parts, of);
  if (!before.done) {
    const gives = wayFor(effect, made, adopters);
    if (gives !== undefined) return gives;
    await reading(effect.provider, reversal.name, reversal.classify, () =>
      reversal.inspect(reads, effect.params, made),
    );
  }
  const seen = await unlessDoneBy(readNow, async () => {
    const waits = await sendReversal(parts, of, { undoId, send: !before.done });
    return waits ?? (before.done ? before : readNow());
  });
  if (!seen.done) return seen;
  await closeUndone(parts, of, seen, adopters);
  return undefined;
}

/** A row that takes something down has made nothing that anybody could build on. */
async function adoptersOfThis(
  parts: Parts,
  { effect, made, run, runId }: Undo,
): Promise<readonly Adopter[]> {
  if (isTeardown(effect.document.operation)) return [];
  return adoptersOf(parts.db, {
    ...run.row,
    runId,
    step: effect.step,
    object: made.object,
    ...(effect.step === 'configure-dns' ? { records: recordsMade(effect) } : {}),
  });
}

const recordsSchema = z.array(
  z.object({ type: z.string(), name: z.string(), content: z.string() }),
);

const recordsMade = ({ document }: Effect) => recordsSchema.parse(document.params['records']);

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

/** How long a run that is itself stopped is given to make way, between two looks. In ms. */
const WAY_MS = 2_000;

/** What another run has adopted is not taken from under it; one that may yet be taken back itself is waited for. */
function wayFor(
  { step }: Effect,
  { object }: Found,
  adopters: readonly Adopter[],
): Waits | undefined {
  if (adopters.length === 0) return undefined;
  const by = adopters.map(({ runId }) => runId).join(', ');
  if (adopters.every(({ completed, stopped }) => stopped && !completed))
    return { done: false, waitMs: WAY_MS, why: `${step}: ${object} is used by ${by}, stopped too` };
  throw new Failure(
    'USED_BY_OTHERS',
    `${object} was adopted by ${by}: taking it back takes theirs`,
    {
      step,
    },
  );
}

/** The reversal's requests, under a grant of the door for the undo row. */
async function sendReversal(
  parts: Parts,
  { runId, effect, made, sender }: Undo,
  { undoId, send }: { readonly undoId: EffectId; readonly send: boolean },
): Promise<Waits | undefined> {
  const token = send ? await reversalToken(parts, { runId, effect, sender }) : undefined;
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
    token: token?.value,
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

/** A reversal's own token. What keeps it from being minted keeps the reversal waiting, or needs a person. */
async function reversalToken(
  parts: Parts,
  { runId, effect, sender }: Pick<Undo, 'runId' | 'effect' | 'sender'>,
): Promise<HeldToken | undefined> {
  const { step, reversal } = effect;
  try {
    const answer = await tokenFor(parts, {
      effect,
      need: reversal.token?.(effect.params),
      runId,
      class: 'compensations',
      sender: sender.token,
    });
    if (answer.verdict === 'held') return answer.token;
    throw new Failure(
      answer.reason === 'NO_CAUSE' ? 'NO_CAUSE' : 'COMPENSATION_FAILED',
      `${step} may not be reversed: ${answer.reason}: ${answer.detail}`,
      { step, reason: answer.reason },
    );
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error.code !== 'PROVIDER_AUTH' && error.code !== 'PROVIDER_REFUSED') throw error;
    throw new Failure('COMPENSATION_FAILED', `reversing ${error.message}`, error.details);
  }
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
  { refundedMinor, residue, ...undone }: Undone,
  adopters: readonly Adopter[],
): Promise<void> {
  // What stays and serves another run is nobody's to close or to return.
  const serves = adopters.map((adopter) => adopter.runId).join(', ');
  const caseText =
    serves === ''
      ? (undone.caseText ?? effect.reversal.caseText?.(effect.params, made))
      : undefined;
  await parts.door.closeRow({
    runId,
    step: effect.step,
    outcome: effect.document.reversal === 'compensate' ? 'reversed' : 'mitigated',
    refundedMinor,
    residue:
      serves === '' || residue.text === ''
        ? residue
        : { minor: residue.minor, text: `${residue.text}; it serves ${serves}` },
    ...(caseText === undefined ? {} : { caseText }),
  });
}
