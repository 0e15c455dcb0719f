import { FAILURES, Failure } from '../domain/errors.js';
import type { FailureCode } from '../domain/errors.js';
import { parseRunId } from '../domain/ids.js';
import type { RunId } from '../domain/ids.js';
import type { RunState } from '../domain/plan.js';
import { PLAIN_TRUST } from '../domain/trust.js';
import { recordRefusal } from '../store/refusals.js';
import { insertFailure } from '../store/run-rows.js';
import { isVerified } from '../store/verifications.js';
import { admit } from './admission.js';
import { UNCOUNTED } from './calls.js';
import { recordWord } from './break-glass.js';
import { closeDoor } from './close-door.js';
import type { Gateway } from './contract.js';
import { PROCESS_CLOCKS } from './deadline.js';
import { gateStatus } from './gate-status.js';
import { openGate } from './gates.js';
import { HTTP_TIMEOUTS } from './parts.js';
import type { GatewayOptions, Parts } from './parts.js';
import { perform } from './perform.js';
import { planRun } from './planning.js';
import { checkCredentials, createProviders } from './providers.js';
import { readiness } from './readiness.js';
import { loadPlanned, loadRun, plannedStep } from './record.js';
import { isRecorded } from './recorded.js';
import { report } from './report.js';
import { failureOf, resolve, resume } from './resolve.js';
import { revokeQuietly, revokingAtFailure } from './revoke.js';
import { stopRun } from './stop.js';
import { tellingWhereStuck } from './tell-stuck.js';
import { createTokenDoor } from './token-door.js';
import { reverse } from './unwind.js';
import { verify } from './verify.js';

/**
 * What the gateway works with, checked once at start.
 * @throws PROVIDER_AUTH when a credential does not fit where it would be sent
 */
export function createParts(options: GatewayOptions): Parts {
  checkCredentials(options.credentials, options.providers);
  const clocks = options.clocks ?? PROCESS_CLOCKS;
  const calls = options.calls ?? UNCOUNTED;
  return {
    db: options.db,
    door: options.door,
    instance: options.instance,
    effects: new Map(options.operations.map((effects) => [effects.operation.name, effects])),
    readers: options.readers,
    providers: createProviders(options.credentials, clocks, calls),
    settling: options.settling,
    egress: options.egress,
    httpTimeouts: options.httpTimeouts ?? HTTP_TIMEOUTS,
    clocks,
    calls,
    trust: options.trust ?? PLAIN_TRUST,
    tokens:
      options.keyring === undefined
        ? undefined
        : { door: createTokenDoor(options.db), keyring: options.keyring },
  };
}

/** The gateway. Every argument of its methods is a claim; each refusal is recorded by its reason. */
export function createGateway(parts: Parts): Gateway {
  const guarded = guard(parts);
  return {
    admit: (claim) => admit(parts, claim),
    plan: (id) => guarded('plan', id, (runId) => planRun(parts, runId)),
    openGate: (id, gate) => guarded(`gate ${gate}`, id, (runId) => openGate(parts, runId, gate)),
    recordDecision: (id, message, road) =>
      guarded('decide', id, (runId) => recordWord(parts, runId, message, road)),
    gateStatus: (id, gateId) =>
      guarded('gate-status', id, (runId) => gateStatus(parts, runId, gateId)),
    readiness: (id, step) =>
      guarded(`readiness ${step}`, id, (runId) => readiness(parts, runId, step)),
    perform: (id, step, sender) =>
      guarded(`perform ${step}`, id, (runId) =>
        revokingAtFailure(parts, runId, 'actions', () => perform(parts, runId, step, sender)),
      ),
    verify: (id) => guarded('verify', id, (runId) => verify(parts, runId)),
    closeDoor: (id, cause) => guarded('close-door', id, (runId) => closeDoor(parts, runId, cause)),
    reverse: (id, step, sender) =>
      guarded(`reverse ${step}`, id, (runId) =>
        revokingAtFailure(parts, runId, 'compensations', () =>
          tellingWhereStuck(parts, runId, step, () => reverse(parts, runId, step, sender)),
        ),
      ),
    complete: (id) => guarded('complete', id, (runId) => complete(parts, runId)),
    finish: (id, why) => guarded('finish', id, (runId) => finish(parts, runId, why)),
    stopRun: (id, by, reason, mode) =>
      guarded('stop', id, (runId) => stopKnown(parts, { runId, by, reason, mode })),
    resolve: (id, message) => guarded('resolve', id, (runId) => resolve(parts, runId, message)),
    resume: (id, message) => guarded('resume', id, (runId) => resume(parts, runId, message)),
    recordFailure: (id, step, code, message) =>
      guarded('failure', id, async (runId) => {
        await loadRun(parts, runId);
        await insertFailure(parts.db, { runId, step, ...failureOf(code, message) });
      }),
    stray: (id, activity) => guarded(activity, id, () => Promise.reject(stray(activity))),
    report: (id) => guarded('report', id, (runId) => report(parts, runId)),
  };
}

const stray = (activity: string): Failure =>
  new Failure('ADMISSION_REFUSED', `${activity} was called without a workflow: nothing is done`, {
    reason: 'no-workflow',
  });

/** Checks the run id's form and records what is refused, unless it was recorded where it was refused. */
function guard(parts: Parts) {
  return async <T>(asked: string, id: string, body: (runId: RunId) => Promise<T>): Promise<T> => {
    try {
      const runId = parseRunId(id);
      // guard: what goes back is not held up by what goes forward.
      const reversal = /^(?:reverse|close-door|resolve)/.test(asked);
      return await parts.calls.as({ runId, reversal }, () => body(runId));
    } catch (error) {
      if (error instanceof Failure && isRefusal(error) && !isRecorded(error))
        await recordRefusal(parts.db, {
          runId: id,
          asked,
          reason: String(error.details['reason'] ?? error.code),
          detail: error.message,
        });
      throw error;
    }
  };
}

const RECORDED: ReadonlySet<FailureCode> = new Set([
  'RUN_UNKNOWN',
  'REQUEST_INVALID',
  'BUNDLE_DAMAGED',
]);
const isRefusal = ({ code }: Failure): boolean =>
  FAILURES[code].blame === 'governance' || RECORDED.has(code);

/** Ends the run as completed: every effect has succeeded, and what they made was read back and fetched. */
async function complete(parts: Parts, runId: RunId): Promise<RunState> {
  const run = await loadPlanned(parts, runId);
  const reads = plannedStep(run.plan, 'verify-site')?.kind === 'read';
  if (run.row.door === 'open' && reads && !(await isVerified(parts.db, runId)))
    throw new Failure('OUT_OF_ORDER', `run ${runId} has not been verified since its last effect`);
  const answer = await parts.door.complete(runId);
  if (answer === 'door-closed')
    throw new Failure('DOOR_CLOSED', `run ${runId} is being unwound: it cannot complete`);
  if (answer === 'not-all-succeeded')
    throw new Failure('OUT_OF_ORDER', `run ${runId} has steps that have not succeeded`);
  await revokeQuietly(parts, runId);
  return report(parts, runId);
}

async function finish(parts: Parts, runId: RunId, why: string): Promise<RunState> {
  await loadRun(parts, runId);
  const answer = await parts.door.finish(runId, why);
  if (answer === 'door-open')
    throw new Failure('OUT_OF_ORDER', `run ${runId} cannot end: its door is not closed`);
  if (answer === 'not-all-closed')
    throw new Failure('OUT_OF_ORDER', `run ${runId} cannot end: not every step is taken back`);
  await revokeQuietly(parts, runId);
  return report(parts, runId);
}

async function stopKnown(
  parts: Parts,
  of: { runId: RunId; by: string; reason: string; mode: 'unwind' | 'hold' },
): Promise<void> {
  await loadRun(parts, of.runId);
  await stopRun(parts, of);
  await revokeQuietly(parts, of.runId);
}
