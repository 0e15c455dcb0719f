import { randomBytes } from 'node:crypto';
import { buildCard, buildGate, excludedPersons, stepsOfGate } from '../domain/build-gate.js';
import { canonicalize, digestOf } from '../domain/canonical.js';
import { cardSchema } from '../domain/documents.js';
import type { ActionDocument, CardDocument } from '../domain/documents.js';
import { durationToMs } from '../domain/duration.js';
import { Failure, invariant } from '../domain/errors.js';
import { gateIdOf, isDigest } from '../domain/ids.js';
import type { RunId } from '../domain/ids.js';
import type { OpenGate, Plan, Quote } from '../domain/plan.js';
import { capsFor } from '../domain/policy/caps.js';
import { escalationPercentOf, reminderPercentOf } from '../domain/policy/notices.js';
import { overdueFacts } from '../domain/policy/review.js';
import { bundleSize } from '../store/bundle-files.js';
import { gatesPassedAlone } from '../store/break-glasses.js';
import { databaseNow } from '../store/clock.js';
import type { Executor } from '../store/connect.js';
import { STATES, sqlState } from '../store/failures.js';
import { tellOfGate } from '../store/gate-notices.js';
import { insertGate, latestGate, planOfGate } from '../store/gate-rows.js';
import { appendLog } from '../store/log.js';
import { readQuote } from '../store/plans.js';
import { capUses, enterRun, reservePlan } from '../store/reservations.js';
import type { ReserveItem } from '../store/reservations.js';
import type { Row } from '../store/schema.js';
import type { Parts } from './parts.js';
import { denyPlan, planRun } from './planning.js';
import { policyInForce } from './policy.js';
import type { PolicyInForce } from './policy-row.js';
import { loadPlanned } from './record.js';
import type { PlannedRun } from './record.js';
import { openGateOf } from './report.js';
import { rolesOf } from './roles.js';

export type Opened = OpenGate | { readonly gateId: undefined; readonly notNeeded: true };

/**
 * Opens a gate over what is still to be done, or answers the one that stands. The money of the whole plan is
 * reserved in the same transaction. A gate that was rejected or that nobody answered stays what it is; one whose
 * grant became void is followed by a next revision, planned anew, that names the differences.
 * @throws BUDGET_EXCEEDED, FENCED, DOOR_CLOSED, POLICY_DENIED
 */
export async function openGate(parts: Parts, runId: RunId, gate: string): Promise<Opened> {
  const standing = await latestGate(parts.db, { runId, gate });
  const before = await loadPlanned(parts, runId);
  if (
    standing !== undefined &&
    stays(standing, undone(before.plan, await doneSteps(parts, runId)), gate)
  )
    return openGateOf(standing, await databaseNow(parts.db));
  // Prices move while a run waits: every gate but the very first is opened over a fresh quote.
  if (gate !== 'plan' || standing !== undefined) await planRun(parts, runId);
  const run = await loadPlanned(parts, runId);
  const [denial] = run.plan.denials;
  if (denial !== undefined)
    throw new Failure('POLICY_DENIED', `${denial.rule}: ${denial.message}`, { rule: denial.rule });
  try {
    const done = await doneSteps(parts, runId);
    return await open(parts, { run: { ...run, plan: undone(run.plan, done) }, gate, done });
  } catch (error) {
    if (sqlState(error) !== STATES.cap || !(error instanceof Error)) throw error;
    // A run that does not fit is denied, on record, before anything is done.
    await denyPlan(parts, runId, { rule: ruleNamedIn(error.message), message: error.message });
    throw new Failure('BUDGET_EXCEEDED', error.message, { runId });
  }
}

const CAP_MEMBERS: Readonly<Record<string, string>> = {
  organisation: 'organisation',
  principal: 'principal',
  agent: 'agent',
  provider: 'provider',
  'principal-provider': 'principalProvider',
  run: 'run',
};

/** The database names the rule of a count before the colon, and of a cap its scope. */
function ruleNamedIn(message: string): string {
  const count = /^((?:counts|unattended)\.[A-Za-z]+): /.exec(message)?.[1];
  const member = CAP_MEMBERS[/^cap ([a-z-]+)[: ]/.exec(message)?.[1] ?? ''];
  return count ?? (member === undefined ? 'caps' : `caps.${member}`);
}

/** Steps whose effect has succeeded. */
async function doneSteps(parts: Parts, runId: RunId): Promise<ReadonlySet<string>> {
  const rows = await parts.door.rows(runId);
  return new Set(
    rows
      .filter(({ kind, state }) => kind === 'act' && state === 'succeeded')
      .map(({ step }) => step),
  );
}

/** The plan with what has succeeded already taken out of its gates: nobody is asked for that again. */
function undone(plan: Plan, done: ReadonlySet<string>): Plan {
  return {
    ...plan,
    steps: plan.steps.map(({ gate, ...step }) =>
      gate === undefined || done.has(step.step) ? step : { ...step, gate },
    ),
  };
}

/** Silence and a rejection stay for good; an open or granted gate stays while it lists all that is still to be done. */
function stays(standing: Row<'gates'>, plan: Plan, gate: string): boolean {
  if (standing.state === 'rejected' || standing.state === 'expired') return true;
  if (standing.state === 'void') return false;
  return stepsOfGate(plan, gate).every(({ actionDigest }) =>
    standing.actions.includes(actionDigest),
  );
}

async function open(
  parts: Parts,
  { run, gate, done }: { run: PlannedRun; gate: string; done: ReadonlySet<string> },
): Promise<Opened> {
  const inForce = await policyInForce(parts.db, parts);
  const quoted = await readQuote(parts.db, run.runId);
  invariant(quoted, `run ${run.runId} has a quote with its plan`);
  const covered = stepsOfGate(run.plan, gate);
  const items = reservations(run, inForce, done);
  const providers = [...new Set(run.plan.steps.flatMap(({ action }) => action?.provider ?? []))];
  return parts.db.transaction().execute(async (tx) => {
    const entered = await enterRun(tx, run.runId, providers);
    if (entered?.door !== 'open')
      throw new Failure(
        'DOOR_CLOSED',
        `the door of run ${run.runId} is ${entered?.door ?? 'gone'}`,
      );
    if (entered.fenced)
      throw new Failure('FENCED', `a stop covers run ${run.runId}: no gate opens under it`);
    const standing = await latestGate(tx, { runId: run.runId, gate });
    // A second call at once has opened it meanwhile: that one stands.
    if (standing?.state === 'open' && stays(standing, run.plan, gate))
      return openGateOf(standing, await databaseNow(tx));
    const uses = await capUses(tx, run.runId, items);
    const row =
      covered.length === 0
        ? undefined
        : await writeGate(parts, tx, { run, gate, inForce, quoted, standing, uses });
    await reservePlan(tx, run.runId, items);
    if (row === undefined) return { gateId: undefined, notNeeded: true };
    await appendLog(tx, {
      kind: 'gate-opened',
      runId: run.runId,
      payload: { gateId: row.gate_id, digest: row.digest, actions: row.actions },
    });
    return openGateOf(row, row.opened_at);
  });
}

interface Opening {
  readonly run: PlannedRun;
  readonly gate: string;
  readonly inForce: PolicyInForce;
  readonly quoted: Quote;
  readonly standing: Row<'gates'> | undefined;
  readonly uses: CardDocument['caps'];
}

/** Builds card and gate document and writes them, once. */
async function writeGate(parts: Parts, tx: Executor, of: Opening): Promise<Row<'gates'>> {
  const { run, gate, inForce, standing } = of;
  const { row } = run;
  const site = await bundleSize(tx, run.request.bundle);
  invariant(site, `the bundle of run ${run.runId} is stored`);
  const roles = await rolesOf(tx, row);
  const previous = await previousOf(tx, standing, gate);
  const openedAt = await databaseNow(tx);
  const card = buildCard({
    instance: parts.instance,
    plan: run.plan,
    gate,
    request: run.request,
    quote: of.quoted,
    policy: inForce.policy,
    nowMs: openedAt.getTime(),
    roles,
    caps: of.uses,
    site,
    passedAlone: await gatesPassedAlone(tx, run.runId),
    ...(previous === undefined ? {} : { previous }),
  });
  const openMs = durationToMs(inForce.policy.expiry) ?? 0;
  const after = (percent: number): Date =>
    new Date(openedAt.getTime() + Math.floor((openMs * percent) / 100));
  const expiresAt = after(100);
  const revision = (standing?.revision ?? 0) + 1;
  const gateId = gateIdOf({ runId: run.runId, gate, revision });
  invariant(isDigest(row.request_digest), 'a request digest is one');
  const document = buildGate({
    plan: run.plan,
    gate,
    gateId,
    instance: parts.instance,
    requestDigest: row.request_digest,
    excluded: excludedPersons(inForce.policy, roles),
    card,
    openedAt: openedAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
    nonce: randomBytes(16).toString('hex'),
  });
  const written = {
    gate_id: gateId,
    run_id: run.runId,
    gate,
    revision,
    plan_revision: run.plan.revision,
    document: canonicalize(document),
    digest: digestOf(document),
    card: canonicalize(card),
    card_digest: document.cardDigest,
    actions: document.actions,
    policy_version: inForce.version,
    opened_at: openedAt,
    expires_at: expiresAt,
    remind_at: after(reminderPercentOf(inForce.policy)),
    escalate_at: after(escalationPercentOf(inForce.policy)),
  };
  await insertGate(tx, written);
  // guard: in the gate's own transaction, so that a gate which stands is told of, whoever dies next.
  await tellOfGate(tx, 'gate-opened', written, overdueFacts(inForce.policy, openedAt.getTime()));
  return {
    ...written,
    state: 'open',
    reason: null,
    closed_by: null,
    closed_at: null,
    reminded_at: null,
    escalated_at: null,
  };
}

async function previousOf(
  tx: Executor,
  standing: Row<'gates'> | undefined,
  gate: string,
): Promise<{ card: CardDocument; actions: ActionDocument[] } | undefined> {
  if (standing === undefined) return undefined;
  const former = await planOfGate(tx, standing);
  if (former === undefined) return undefined;
  return {
    card: cardSchema.parse(JSON.parse(standing.card)),
    actions: stepsOfGate(former.plan, gate)
      .filter(({ actionDigest }) => standing.actions.includes(actionDigest))
      .map(({ action }) => action),
  };
}

/** What every action that is still to come may cost, each under its caps. Minor units. */
function reservations(
  run: PlannedRun,
  { policy }: PolicyInForce,
  done: ReadonlySet<string>,
): ReserveItem[] {
  return run.plan.steps.flatMap(({ action, step, costMaxMinor }) =>
    action === undefined || costMaxMinor === 0 || done.has(step)
      ? []
      : [
          {
            step,
            costMinor: costMaxMinor,
            currency: action.currency,
            caps: capsFor(
              policy,
              {
                principal: run.row.principal,
                agent: run.row.agent,
                provider: action.provider,
                runId: run.runId,
              },
              run.request.budget,
            ),
          },
        ],
  );
}
