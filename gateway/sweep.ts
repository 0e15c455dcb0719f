import { Failure } from '../domain/errors.js';
import { parseRunId } from '../domain/ids.js';
import type { RunId } from '../domain/ids.js';
import { formatAmount } from '../domain/money.js';
import type { EffectStep } from '../domain/steps.js';
import { insertTemporalEnd, openCaseOnce } from '../store/run-rows.js';
import { effectsDue, openRuns, rememberTemporal } from '../store/sweep-rows.js';
import { readBack } from './effect.js';
import type { Effect } from './effect.js';
import type { Found } from './operation.js';
import type { Parts } from './parts.js';
import { bundleOf, loadPlanned, resolvedEffect } from './record.js';

/** What Temporal says of `provision/<runId>`; nothing is concluded from silence. */
export type TemporalStatus =
  'RUNNING' | 'COMPLETED' | 'CANCELED' | 'FAILED' | 'TERMINATED' | 'TIMED_OUT' | 'NOT_FOUND';

export type BrokenStatus = Extract<TemporalStatus, 'FAILED' | 'TERMINATED' | 'TIMED_OUT'>;

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
  const effects = await sweepEffects(parts);
  const runs = await sweepRuns(parts, deps);
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
      if (!(error instanceof Failure)) throw error;
      unread += 1;
    }
  }
  return { readBack: read, cases, unread };
}

async function sweepEffect(
  parts: Parts,
  due: { readonly runId: string; readonly step: string; readonly effectId: string },
): Promise<number> {
  const run = await loadPlanned(parts, parseRunId(due.runId));
  const step = due.step as EffectStep;
  const effect = await resolvedEffect(parts, run, step, { role: 'reads' });
  const ticket = await parts.door.startRead(effect.effectId);
  const seen = await readBack(parts, effect, { role: 'reads', bundle: bundleOf(parts) });
  // A state that is not final is no answer: the effect stays due.
  if (seen.kind === 'pending') return 0;
  await parts.door.recordRead(ticket, seen.kind === 'found');
  if (seen.kind === 'absent') return 0;
  const row = await parts.door.row(effect.effectId);
  let cases = 0;
  if (row?.object === undefined) {
    const settled = await parts.door.settle({
      effectId: effect.effectId,
      attempt: ticket.attempt,
      outcome: 'succeeded',
      object: seen.object,
      fields: seen.fields,
      capturedMinor: seen.capturedMinor,
      evidence: { sweep: true },
    });
    if (settled.caseOpened !== undefined) {
      await proposeRefund(parts, effect, seen, settled.caseOpened);
      cases += 1;
    }
  }
  const doubles = [seen, ...(seen.others ?? [])].filter(
    ({ object }) => row?.object !== undefined && object !== row.object,
  );
  for (const double of doubles) {
    await proposeRefund(parts, effect, double, `a double of ${row?.object ?? ''}`);
    cases += 1;
  }
  return cases;
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
    text: `${effect.provider} holds ${found.object}: ${why}. Proposed: take it back and refund ${amount}.`,
  });
}

async function sweepRuns(
  parts: Parts,
  deps: SweepDeps,
): Promise<{ readonly repairs: readonly RunId[]; readonly cases: number }> {
  const broken: { runId: RunId; status: BrokenStatus; repairing: boolean }[] = [];
  let cases = 0;
  for (const open of await openRuns(parts.db)) {
    const runId = parseRunId(open.runId);
    const status = await deps.describeRun(runId);
    if (status === 'FAILED' || status === 'TERMINATED' || status === 'TIMED_OUT')
      broken.push({ runId, status, repairing: open.repairing });
    else if (status !== 'RUNNING') {
      await openCaseOnce(parts.db, { runId, kind: 'run-lost', text: LOST[status](runId) });
      cases += 1;
    }
  }
  const fresh = broken.filter(({ repairing }) => !repairing);
  if (fresh.length > REPAIRS_MAX) {
    await openCaseOnce(parts.db, {
      kind: 'many-repairs',
      text: `${fresh.length} runs were ended by Temporal at once: none is unwound before a person has looked (${fresh.map(({ runId }) => runId).join(', ')})`,
    });
    return { repairs: [], cases: cases + 1 };
  }
  for (const { runId, status } of broken) {
    // The cause goes on record first: without it the repair's own door would refuse to close.
    await insertTemporalEnd(parts.db, runId, status);
    await deps.startRepair(runId, status);
  }
  return { repairs: fresh.map(({ runId }) => runId), cases };
}

const LOST: Readonly<Record<'COMPLETED' | 'CANCELED' | 'NOT_FOUND', (runId: RunId) => string>> = {
  COMPLETED: (runId) =>
    `Temporal says that ${runId} completed, and the record says that it did not`,
  CANCELED: (runId) => `Temporal cancelled ${runId} without its clean-up`,
  NOT_FOUND: (runId) => `Temporal knows no workflow provision/${runId}, and its run has not ended`,
};
