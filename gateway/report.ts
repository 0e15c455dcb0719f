import { cardSchema } from '../domain/documents.js';
import { isDigest, parseGateId } from '../domain/ids.js';
import type { RunId } from '../domain/ids.js';
import type { OpenGate, Plan, PlanStep, RunState, StepReport } from '../domain/plan.js';
import type { AnomalyKind } from '../domain/policy/anomaly-rules.js';
import { ENDS } from '../domain/steps.js';
import type { End, Phase, StepName } from '../domain/steps.js';
import { anomaliesOf } from '../store/anomalies.js';
import { readPlan } from '../store/plans.js';
import { readRunRows } from '../store/run-rows.js';
import type { RunRows } from '../store/run-rows.js';
import type { Row } from '../store/schema.js';
import { tornDownBy } from '../store/teardowns.js';
import { isVerified } from '../store/verifications.js';
import type { EffectRow } from './door-contract.js';
import type { Parts } from './parts.js';
import { loadRun } from './record.js';
import { LEFT_FIELDS } from './teardown.js';

/** The run as the control database knows it; never asks a provider. @throws RUN_UNKNOWN */
export async function report(parts: Parts, runId: RunId): Promise<RunState> {
  const { row } = await loadRun(parts, runId);
  const plan = await readPlan(parts.db, runId);
  const effects = await parts.door.rows(runId);
  const rows = await readRunRows(parts.db, runId);
  const verified = await isVerified(parts.db, runId);
  const fences = await parts.door.fences(runId);
  const stopped = fences.find(({ mode }) => mode === 'unwind') ?? fences[0];
  const unusual = await anomaliesOf(parts.db, runId);
  const torn = row.door === 'completed' ? await tornDownBy(parts.db, runId) : undefined;
  const steps = plan === undefined ? [] : stepsOf(plan, effects, { ...rows, verified });
  const open = rows.gates.findLast(({ state }) => state === 'open');
  return {
    runId,
    ...phaseOf(row, plan, open, effects),
    steps,
    ...(open === undefined ? {} : { openGate: openGateOf(open, rows.now) }),
    currency: row.currency,
    reservedMinor: rows.reservedMinor,
    spentMinor: steps.reduce((sum, { spentMinor }) => sum + spentMinor, 0),
    residue: steps.flatMap(({ step, residue }) =>
      residue === undefined ? [] : [{ step, ...residue }],
    ),
    ...(open === undefined ? {} : { waitsFor: approvalOf(runId, open) }),
    ...(plan === undefined || plan.denials.length === 0 ? {} : { denials: plan.denials }),
    ...(unusual.length === 0
      ? {}
      : { anomalies: unusual.map(({ kind, text }) => ({ kind: kind as AnomalyKind, text })) }),
    ...(stopped === undefined || row.end_phase !== null ? {} : { stopped }),
    ...(row.tears_down === null ? {} : { tearsDown: row.tears_down }),
    ...(torn?.done === true ? { tornDownBy: torn.runId } : {}),
    ...(rows.cases.length === 0 ? {} : { cases: rows.cases.map(({ text }) => text) }),
  };
}

function stepsOf(
  plan: Plan,
  effects: readonly EffectRow[],
  rows: RunRows & { readonly verified: boolean },
): StepReport[] {
  return plan.steps.flatMap((planned) => {
    const { step } = planned;
    if (step === 'verify-site' && rows.verified)
      return [{ step, outcome: 'verified', spentMinor: 0 }];
    const row = effects.find((effect) => effect.step === step && effect.kind === 'act');
    const failure = rows.failures.findLast((failed) => failed.step === step);
    const closing = rows.closings.find((closed) => closed.step === step);
    return [
      stepReport({
        step,
        planned,
        row,
        ...(closing === undefined ? {} : { closing }),
        ...(failure === undefined ? {} : { note: `${failure.code}: ${failure.message}` }),
      }),
    ];
  });
}

/** One line of the report, from the plan and the effect's row. */
function stepReport(of: {
  readonly step: StepName;
  readonly planned: PlanStep | undefined;
  readonly row: EffectRow | undefined;
  readonly closing?: RunRows['closings'][number];
  readonly note?: string;
}): StepReport {
  const { closing, row } = of;
  return {
    step: of.step,
    outcome: outcomeOf(of.planned, row, closing?.outcome ?? undefined),
    ...(row?.object === undefined ? {} : { object: row.object }),
    spentMinor: row === undefined ? 0 : row.capturedMinor - row.refundedMinor,
    ...residueOf(row, closing),
    ...(of.note === undefined ? {} : { note: of.note }),
  };
}

/** What a closed row left; of what was torn down, what stays all the same. */
function residueOf(
  row: EffectRow | undefined,
  closing: RunRows['closings'][number] | undefined,
): Pick<StepReport, 'residue'> {
  const text = closing?.residue_text ?? row?.fields[LEFT_FIELDS.text] ?? '';
  if (text === '') return {};
  const minor = closing?.residue_minor ?? Number(row?.fields[LEFT_FIELDS.minor] ?? 0);
  return { residue: { minor, text } };
}

const CLOSED_AS: Readonly<Record<string, StepReport['outcome']>> = {
  reversed: 'reversed',
  mitigated: 'mitigated',
  'never-happened': 'never-happened',
  'done-by-hand': 'reversed',
  'given-up': 'mitigated',
};

function outcomeOf(
  planned: PlanStep | undefined,
  row: EffectRow | undefined,
  closedAs: string | undefined,
): StepReport['outcome'] {
  if (row === undefined) {
    if (planned?.kind === 'adopt') return 'adopted';
    if (planned?.kind === 'skip') return 'skipped';
    return 'pending';
  }
  switch (row.state) {
    case 'claimed':
      return 'running';
    case 'succeeded':
    case 'failed':
    case 'unknown':
      return row.state;
    case 'closing':
      return 'reversing';
    case 'closed':
      return CLOSED_AS[closedAs ?? ''] ?? 'never-happened';
  }
}

/** Where the record says the run stands. Temporal may know more (a wait, a stop on its way), never otherwise. */
function phaseOf(
  row: Row<'runs'>,
  plan: Plan | undefined,
  open: Row<'gates'> | undefined,
  effects: readonly EffectRow[],
): { readonly phase: Phase | End; readonly why: string } {
  const ended = ENDS.find((end) => end === row.end_phase);
  if (ended !== undefined) return { phase: ended, why: row.end_why ?? '' };
  if (row.door === 'completed') return { phase: 'completed', why: 'every step succeeded' };
  if (row.door === 'closed') return { phase: 'unwinding', why: row.door_cause ?? '' };
  if (plan === undefined) return { phase: 'quoting', why: 'asking the providers what is there' };
  if (open !== undefined)
    return { phase: 'awaiting-approval', why: `the gate ${open.gate} is open` };
  return {
    phase: 'running',
    why: effects.length === 0 ? 'planned' : 'carrying out the plan',
  };
}

/** A gate's row in the words of the domain, with its card parsed for whoever shows it. */
export function openGateOf(row: Row<'gates'>, now: Date): OpenGate {
  const parsed = parseGateId(row.gate_id);
  if (parsed === undefined || !isDigest(row.digest))
    throw new Error(`invariant: ${row.gate_id} is a gate id with a digest`);
  return {
    gateId: parsed.gateId,
    gate: row.gate,
    revision: row.revision,
    digest: row.digest,
    document: row.document,
    card: row.card,
    expiresInMs: row.expires_at.getTime() - now.getTime(),
  };
}

function approvalOf(runId: RunId, open: Row<'gates'>): NonNullable<RunState['waitsFor']> {
  const card = cardSchema.safeParse(JSON.parse(open.card));
  return {
    what: card.success ? card.data.title : `the gate ${open.gate}`,
    who: 'an approver',
    command: `countersign approve ${runId} --gate ${open.gate} --key FILE`,
  };
}
