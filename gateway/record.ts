import { actionOf, referencesOf, resolveAction } from './action.js';
import type { Action, AnyReference } from './action.js';
import { parseCanonical } from '../domain/canonical.js';
import type { ActionDocument, Reference } from '../domain/documents.js';
import { Failure, invariant } from '../domain/errors.js';
import { idempotencyKeyOf, parseRunId } from '../domain/ids.js';
import type { RunId } from '../domain/ids.js';
import { memoOfText } from '../domain/memo.js';
import { isTeardown } from '../domain/operations.js';
import type { Plan, PlanStep } from '../domain/plan.js';
import { REQUEST_BYTES_MAX, parseRequest } from '../domain/request.js';
import type { Request } from '../domain/request.js';
import type { EffectStep, StepName } from '../domain/steps.js';
import { readRun } from '../store/admissions.js';
import { bundleFiles } from '../store/bundle-files.js';
import { readEffectFacts, readRunFacts } from '../store/facts.js';
import type { GrantFacts, RunFacts } from '../store/facts.js';
import type { Lift } from '../store/lifts.js';
import { readPlanHolding } from '../store/plans.js';
import type { Row } from '../store/schema.js';
import { deadlineIn } from './deadline.js';
import type { Deadline } from './deadline.js';
import type { EffectRow } from './door-contract.js';
import { effectRow } from './effect-row.js';
import { contextOf, effectOf } from './effect.js';
import type { Effect } from './effect.js';
import type { OperationContext, SiteFile } from './operation.js';
import type { Parts } from './parts.js';
import { principalValueOf } from './principal.js';
import { reading } from './reading.js';
import { teardownEffect } from './teardown.js';
import type { Torn } from './teardown.js';
import type { Role } from './providers.js';

/** A run as the control database has it: never as a caller describes it. */
export interface RunRecord {
  readonly runId: RunId;
  readonly row: Row<'runs'>;
  readonly request: Request;
}

export interface PlannedRun extends RunRecord {
  readonly plan: Plan;
}

/** Parsed once for each text: what is remembered is looked up by the whole of it. */
const requestOf = memoOfText(500, (text) => parseRequest(parseCanonical(text, REQUEST_BYTES_MAX)));

/** @throws RUN_UNKNOWN when no such run was admitted */
export async function loadRun(parts: Pick<Parts, 'db'>, runId: RunId): Promise<RunRecord> {
  const row = await readRun(parts.db, runId);
  if (row === undefined) throw unknown(runId);
  return { runId, row, request: requestOf(row.request) };
}

/** The run with its plan's current revision. @throws RUN_UNKNOWN, OUT_OF_ORDER when it has no plan yet */
export async function loadPlanned(parts: Parts, runId: RunId): Promise<PlannedRun> {
  return (await loadStanding(parts, runId)).run;
}

/** A planned run and its effects, at one moment. */
interface Standing {
  readonly run: PlannedRun;
  readonly rows: ActRows;
}

/** The same, and its effects at that moment. @throws RUN_UNKNOWN, OUT_OF_ORDER when it has no plan yet */
export async function loadStanding(parts: Parts, runId: RunId): Promise<Standing> {
  return standingOf(runId, await readRunFacts(parts.db, runId));
}

/** What a grant over an action stands on, and how long it may be judged by. */
export interface GrantRead {
  readonly digest: string | undefined;
  readonly facts: GrantFacts;
  readonly provider: string | undefined;
  readonly lifts: readonly Lift[];
  /** Passed: much may have happened since, and it is read anew. */
  readonly fresh: Deadline;
}

/** Facts are judged at once or, where something had to be waited for in between, read anew. In ms. */
const FRESH_MS = 250;

/** The same, and what the grant over the step's action stands on: one round trip. @throws RUN_UNKNOWN, OUT_OF_ORDER */
export async function loadForEffect(
  parts: Parts,
  runId: RunId,
  step: EffectStep,
): Promise<Standing & { readonly grant: GrantRead }> {
  const fresh = deadlineIn(FRESH_MS, parts.clocks);
  const facts = await readEffectFacts(parts.db, { runId, step });
  const standing = standingOf(runId, facts?.run);
  if (facts === undefined) throw unknown(runId);
  const { digest, lifts, provider } = facts;
  return { ...standing, grant: { digest, facts: facts.grant, provider, lifts, fresh } };
}

function standingOf(runId: RunId, facts: RunFacts | undefined): Standing {
  if (facts === undefined) throw unknown(runId);
  const { row, plan } = facts;
  if (plan === undefined) throw new Failure('OUT_OF_ORDER', `run ${runId} has no plan yet`);
  return {
    run: { runId, row, request: requestOf(row.request), plan },
    rows: actRowsOf(facts.effects.map(effectRow)),
  };
}

const unknown = (runId: RunId): Failure =>
  new Failure('RUN_UNKNOWN', `no run ${runId} was admitted here`);

/** A run's forward effects, by their step. */
export type ActRows = ReadonlyMap<EffectStep, EffectRow>;

const actRowsOf = (rows: readonly EffectRow[]): ActRows =>
  new Map(rows.filter(({ kind }) => kind === 'act').map((row) => [row.step, row]));

export const plannedStep = (plan: Plan, step: StepName): PlanStep | undefined =>
  plan.steps.find((planned) => planned.step === step);

/** The step's action, rebuilt from the stored plan and digested anew. @throws OUT_OF_ORDER */
export const actionOfStep = (parts: Parts, run: PlannedRun, step: EffectStep): Action =>
  actionOf(plannedStep(run.plan, step), {
    instance: parts.instance,
    runId: run.runId,
    step,
    environment: run.row.environment,
  });

/** Files of a stored site bundle, by the digest of its manifest. */
export const bundleOf =
  (parts: Parts) =>
  (digest: string): Promise<readonly SiteFile[]> =>
    bundleFiles(parts.db, digest);

interface Reading {
  readonly role: Role;
  readonly signal?: AbortSignal;
}

/**
 * The step's effect as planned now, with each reference replaced by what the settled row of the earlier step, or the
 * register, holds.
 * @throws OUT_OF_ORDER when an earlier step has nothing to refer to yet
 */
export async function resolvedEffect(
  parts: Parts,
  { run, rows }: { readonly run: PlannedRun; readonly rows: ActRows },
  step: EffectStep,
  by: Reading,
): Promise<Effect> {
  return resolve(parts, { run, rows, by }, step);
}

/**
 * The step's effect as its row was authorized, whatever has been planned since: what is looked for, and taken back.
 * @throws OUT_OF_ORDER when an earlier step has nothing to refer to
 */
export async function recordedEffect(
  parts: Parts,
  run: PlannedRun,
  step: EffectStep,
  by: Reading,
): Promise<Effect> {
  const rows = actRowsOf(await parts.door.rows(run.runId));
  const row = rows.get(step);
  const held = row === undefined ? run : await asAuthorized(parts, run, row);
  return resolve(parts, { run: held, rows, by }, step);
}

/** The action that a row was authorized under, whatever has been planned since. */
export async function actionAsAuthorized(
  parts: Parts,
  run: PlannedRun,
  row: EffectRow,
): Promise<Action> {
  return actionOfStep(parts, await asAuthorized(parts, run, row), row.step);
}

/** The run with the revision of its plan that holds the row's very action. */
async function asAuthorized(
  parts: Parts,
  run: PlannedRun,
  { step, digest }: EffectRow,
): Promise<PlannedRun> {
  if (digest === undefined || plannedStep(run.plan, step)?.actionDigest === digest) return run;
  const plan = await readPlanHolding(parts.db, { runId: run.runId, step, digest });
  invariant(plan, `a revision of ${run.runId} planned the ${step} that was authorized`);
  return { ...run, plan };
}

interface Scope {
  readonly run: PlannedRun;
  readonly rows: ActRows;
  readonly by: Reading;
}

async function resolve(parts: Parts, scope: Scope, step: EffectStep): Promise<Effect> {
  const action = actionOfStep(parts, scope.run, step);
  const torn = scope.run.request.tearsDown;
  if (torn !== undefined && isTeardown(action.document.operation))
    return teardownEffect(parts, action, await standing(parts, parseRunId(torn), step, scope.by));
  const values = new Map<string, string>();
  for (const reference of referencesOf(action.document))
    values.set(keyOf(reference), await valueOf(parts, scope, action.document, reference));
  return effectOf(
    parts,
    action,
    resolveAction(action.document, (reference) => {
      const value = values.get(keyOf(reference));
      invariant(value, `${keyOf(reference)} was resolved`);
      return value;
    }),
  );
}

/**
 * What a completed run made in this step, from its own row: nothing of it is taken from the plan of whoever tears it down.
 * @throws OUT_OF_ORDER when it has made nothing there
 */
async function standing(parts: Parts, runId: RunId, step: EffectStep, by: Reading): Promise<Torn> {
  const { run, rows } = await loadStanding(parts, runId);
  const row = rows.get(step);
  if (row?.state !== 'succeeded' || row.object === undefined)
    throw new Failure('OUT_OF_ORDER', `${step} of ${runId} has made nothing that stands`);
  const effect = await recordedEffect(parts, run, step, by);
  return { run, effect, row: { ...row, object: row.object } };
}

const lateFields = async (
  made: Effect,
  ctx: OperationContext,
  field: string,
): Promise<Readonly<Record<string, string>>> =>
  (await made.operation.fields?.(ctx, made.params, [field])) ?? {};

const keyOf = (of: AnyReference): string =>
  'fromStep' in of ? `${of.fromStep}.${of.field}` : `${of.ofPrincipal}.${of.field}.${of.digest}`;

function valueOf(
  parts: Parts,
  scope: Scope,
  document: ActionDocument,
  reference: AnyReference,
): Promise<string> {
  if ('fromStep' in reference) return madeBy(parts, scope, reference);
  return principalValueOf(parts.db, document, { reference, principal: scope.run.row.principal });
}

async function madeBy(parts: Parts, scope: Scope, { fromStep, field }: Reference): Promise<string> {
  const row = scope.rows.get(fromStep);
  if (row?.object === undefined)
    throw new Failure(
      'OUT_OF_ORDER',
      `${scope.run.runId}: ${fromStep} has not made its ${field} yet`,
    );
  const recorded = row.fields[field];
  if (recorded !== undefined) return recorded;
  // Some values appear only later, a zone after its domain: read now, from the same effect.
  const held = await asAuthorized(parts, scope.run, row);
  const made = await resolve(parts, { ...scope, run: held }, fromStep);
  const ctx = contextOf(made, parts.providers.forReading(scope.by.role, scope.by.signal), {
    key: idempotencyKeyOf(made.effectId, row.epoch),
    bundle: bundleOf(parts),
  });
  const late = await reading(made.provider, `${fromStep}.${field}`, made.operation.classify, () =>
    lateFields(made, ctx, field),
  );
  const value = late[field];
  if (value === undefined)
    throw new Failure('PROVIDER_UNAVAILABLE', `${fromStep} does not show its ${field} yet`);
  return value;
}
