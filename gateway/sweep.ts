import { Failure } from '../domain/errors.js';
import { parseRunId } from '../domain/ids.js';
import type { EffectId, RunId } from '../domain/ids.js';
import { formatAmount } from '../domain/money.js';
import type { EffectStep } from '../domain/steps.js';
import { insertTemporalEnd, openCaseOnce } from '../store/run-rows.js';
import { effectsDue, noteSweep, openRuns, rememberTemporal } from '../store/sweep-rows.js';
import type { EffectRow } from './door-contract.js';
import { readBack } from './effect.js';
import type { Effect } from './effect.js';
import { sweepGates } from './gate-moments.js';
import type { Found, ReadBack } from './operation.js';
import type { Parts } from './parts.js';
import { bundleOf, loadPlanned, recordedEffect } from './record.js';

/** What Temporal says of `provision/<runId>`; nothing is concluded from silence. */
export type TemporalStatus =
  'RUNNING' | 'COMPLETED' | 'CANCELED' | 'FAILED' | 'TERMINATED' | 'TIMED_OUT' | 'NOT_FOUND';

export type BrokenStatus = Extract<TemporalStatus, 'FAILED' | 'TERMINATED' | 'TIMED_OUT'> | 'LOST';

export interface SweepDeps {
  /** Namespace and cluster that this worker talks to; compared with those on record. */
  readonly temporal: { readonly namespace: string; readonly cluster: string };
  describeRun(runId: RunId): Promise<TemporalStatus>;
  /** Starts `repair/<runId>`; one that runs already is left alone. */
  startRepair(runId: RunId, status: BrokenStatus): Promise<void>;
}

export interface Swept {
  readonly readBack: number;
  readonly cases: number;
  readonly repairs: readonly RunId[];
  /** Effects that could not be read this time; they stay due. */
  readonly unread: number;
}

/** More new repairs than this at once look like the wrong cluster or a mass termination: a person looks first. */
const REPAIRS_MAX = 3;

/**
 * Looks for what nobody is looking at: reads every effect back 1 h and 25 h after its last `send_by`, in whatever state,
 * and finds runs that Temporal has ended without clean-up. Concludes nothing from what it could not read.
 */
export async function sweep(parts: Parts, deps: SweepDeps): Promise<Swept> {
  const known = await rememberTemporal(parts.db, deps.temporal);
  if (known.namespace !== deps.temporal.namespace || known.cluster !== deps.temporal.cluster) {
    await openCaseOnce(parts.db, {
      kind: 'temporal-identity',
      text: `this database belongs to the Temporal namespace ${known.namespace} of cluster ${known.cluster}, and a worker came from ${deps.temporal.namespace} of ${deps.temporal.cluster}: nothing was swept`,
    });
    return { readBack: 0, cases: 1, repairs: [], unread: 0 };
  }
  await sweepGates(parts);
  const effects = await sweepEffects(parts);
  const runs = await sweepRuns(parts, deps);
  await noteSweep(parts.db);
  return { ...effects, repairs: runs.repairs, cases: effects.cases + runs.cases };
}

async function sweepEffects(parts: Parts): Promise<Omit<Swept, 'repairs'>> {
  let cases = 0;
  let read = 0;
  let unread = 0;
  for (const due of await effectsDue(parts.db)) {
    try {
      cases += await sweepEffect(parts, due);
      read += 1;
    } catch (error) {
      // A provider that does not answer, or a step whose references are gone: it stays due, and the others go on.
      unread += 1;
      if (error instanceof Failure) continue;
      // What is none of our failures will not pass by itself. Its words may be a provider's, so they stay out.
      await openCaseOnce(parts.db, {
        ...due,
        kind: 'unreadable',
        text: `${due.effectId} cannot be read back: ${error instanceof Error ? error.name : 'an error'} without a code; look at it at the provider`,
      });
      cases += 1;
    }
  }
  return { readBack: read, cases, unread };
}

async function sweepEffect(
  parts: Parts,
  due: { readonly runId: string; readonly step: string; readonly effectId: EffectId },
): Promise<number> {
  // First of all: whatever fails below, the effect has had its turn, and the others have theirs first.
  const ticket = await parts.door.startRead(due.effectId);
  const run = await loadPlanned(parts, parseRunId(due.runId));
  const step = due.step as EffectStep;
  const effect = await recordedEffect(parts, run, step, { role: 'reads' });
  const seen = await readBack(parts, effect, { role: 'reads', bundle: bundleOf(parts) });
  // A state that is not final is no answer: the effect stays due.
  if (seen.kind === 'pending') return 0;
  await parts.door.recordRead(ticket, seen.kind === 'found');
  if (seen.kind === 'absent') return 0;
  const row = await parts.door.row(effect.effectId);
  const { knownBy } = effect.operation;
  const over = row?.state === 'failed' || row?.state === 'closed';
  if (row?.object === undefined && over && knownBy !== 'marker')
    return knownBy === 'name' ? unclaimed(parts, effect, seen) : 0;
  return compare(parts, effect, { seen, row, attempt: ticket.attempt });
}

/** Bears the name and not our marker, in nobody's record, where the effect had surely done nothing. */
async function unclaimed(parts: Parts, effect: Effect, seen: Found): Promise<number> {
  await openCaseOnce(parts.db, {
    runId: effect.document.runId,
    effectId: effect.effectId,
    kind: 'perhaps-ours',
    text: `${effect.provider} holds ${seen.object}, which ${effect.step} of ${effect.document.runId} asked for and surely did not get. It bears no mark: ask its owner before you touch it.`,
  });
  return 1;
}

/** Settles what no answer had told, and opens a case for each object beside the one on record. */
async function compare(
  parts: Parts,
  effect: Effect,
  of: {
    readonly seen: Extract<ReadBack, { kind: 'found' }>;
    readonly row: EffectRow | undefined;
    readonly attempt: number;
  },
): Promise<number> {
  const { seen } = of;
  const all: readonly Found[] = [seen, ...(seen.others ?? [])];
  let own = of.row?.object;
  let why = `a double of ${own ?? ''}`;
  if (own === undefined) {
    const settled = await parts.door.settle({
      effectId: effect.effectId,
      attempt: of.attempt,
      outcome: 'succeeded',
      object: seen.object,
      fields: seen.fields,
      capturedMinor: seen.capturedMinor,
      evidence: { sweep: true },
    });
    // A case that named it already stands for the object itself; what is beside it is a double all the same.
    own = settled.caseOpened === undefined ? seen.object : undefined;
    why = settled.caseOpened ?? `a double of ${seen.object}`;
  }
  const doubles = all.filter(({ object }) => object !== own);
  for (const double of doubles) await proposeRefund(parts, effect, double, why);
  return doubles.length;
}

async function proposeRefund(
  parts: Parts,
  effect: Effect,
  found: Found,
  why: string,
): Promise<void> {
  const amount = formatAmount({
    minor: found.capturedMinor,
    currency: effect.document.currency,
  });
  await openCaseOnce(parts.db, {
    runId: effect.document.runId,
    effectId: effect.effectId,
    kind: 'double',
    about: found.object,
    text: `${effect.provider} holds ${found.object}: ${why}. Proposed: take it back and refund ${amount}.`,
  });
}

async function sweepRuns(
  parts: Parts,
  deps: SweepDeps,
): Promise<{ readonly repairs: readonly RunId[]; readonly cases: number }> {
  const broken: { runId: RunId; status: BrokenStatus; known: boolean }[] = [];
  let cases = 0;
  for (const open of await openRuns(parts.db)) {
    const runId = parseRunId(open.runId);
    const status = await deps.describeRun(runId);
    if (status === 'FAILED' || status === 'TERMINATED' || status === 'TIMED_OUT')
      broken.push({ runId, status, known: open.repairing || open.ordered });
    // Nothing is concluded from silence; a person who has looked may say that it is over.
    else if (status !== 'RUNNING' && open.ordered)
      broken.push({ runId, status: 'LOST', known: true });
    else if (status !== 'RUNNING') {
      await openCaseOnce(parts.db, { runId, kind: 'run-lost', text: LOST[status](runId) });
      cases += 1;
    }
  }
  const fresh = broken.filter(({ known }) => !known);
  const tooMany = fresh.length > REPAIRS_MAX;
  if (tooMany) {
    await openCaseOnce(parts.db, {
      kind: 'many-repairs',
      text: `${fresh.length} runs were ended by Temporal at once: none is unwound before a person has looked, and signs for each: countersign resolve RUN --step create-customer --retry (${fresh.map(({ runId }) => runId).join(', ')})`,
    });
    cases += 1;
  }
  const repaired = tooMany ? broken.filter(({ known }) => known) : broken;
  for (const { runId, status } of repaired) {
    // The cause goes on record first: without it the repair's own door would refuse to close.
    await insertTemporalEnd(parts.db, runId, status);
    await deps.startRepair(runId, status);
  }
  return { repairs: tooMany ? [] : fresh.map(({ runId }) => runId), cases };
}

const LOST: Readonly<Record<'COMPLETED' | 'CANCELED' | 'NOT_FOUND', (runId: RunId) => string>> = {
  COMPLETED: (runId) =>
    `Temporal says that ${runId} completed, and the record says that it did not`,
  CANCELED: (runId) => `Temporal cancelled ${runId} without its clean-up`,
  NOT_FOUND: (runId) => `Temporal knows no workflow provision/${runId}, and its run has not ended`,
};
