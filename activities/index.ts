import { randomUUID } from 'node:crypto';
import { Context } from '@temporalio/activity';
import { Failure } from '../domain/errors.js';
import type { OpenGate, RunState, StepReport } from '../domain/plan.js';
import type { EffectStep } from '../domain/steps.js';
import type { Gateway, Sender } from '../gateway/contract.js';
import type {
  Admitted,
  AdmissionClaim,
  CloseInput,
  DecisionsInput,
  DecisionVerdict,
  FailureInput,
  FinishInput,
  GateInput,
  GateStatus,
  GateStatusInput,
  Performed,
  PlanView,
  Readiness,
  ResolveVerdict,
  Reversed,
  RunInput,
  SignedInput,
  StepInput,
  StopInput,
} from './api.js';
import { isUnforeseen, toTemporal } from './failures.js';
import { viewOf } from './plan-view.js';

export interface ActivityDeps {
  readonly gateway: Gateway;
  /** Named places where a test may end the process, told as `<name>@<step>@<run>`. */
  readonly failpoint?: (place: string) => void;
  /** Hears of errors nobody foresaw, before they are made safe for the history. */
  readonly onUnforeseen?: (activity: string, error: unknown) => void;
  /** Between two heartbeats, in ms; well below the heartbeat timeout of workflows/proxies.ts. */
  readonly heartbeatMs?: number;
}

type Body<In, Out> = (input: In, sender: Sender) => Promise<Out>;

/**
 * Every activity of the saga. Closures, for Temporal calls them unbound. They only carry claims to the gateway
 * and its answers back: what is allowed is decided there.
 */
export function createActivities(deps: ActivityDeps) {
  const activity = wrap(deps);
  return { ...controls(deps, activity), ...effects(deps, activity), ...endings(deps, activity) };
}

type Wrap = ReturnType<typeof wrap>;

/** Admission, planning, gates and decisions: the record, and reads at the providers. */
function controls({ gateway }: ActivityDeps, activity: Wrap) {
  return {
    admit: activity<AdmissionClaim, Admitted>('admit', (claim) => gateway.admit(claim)),
    planRun: activity<RunInput, PlanView>('plan', async ({ runId }) =>
      viewOf(await gateway.plan(runId)),
    ),
    openGate: activity<GateInput, OpenGate | { gateId: undefined; notNeeded: true }>(
      'gate',
      ({ runId, gate }) => gateway.openGate(runId, gate),
    ),
    recordDecision: activity<DecisionsInput, readonly DecisionVerdict[]>(
      'decision',
      async ({ runId, road, messages }) => {
        const verdicts: DecisionVerdict[] = [];
        for (const message of messages)
          verdicts.push(await gateway.recordDecision(runId, message, road));
        return verdicts;
      },
    ),
    gateStatus: activity<GateStatusInput, GateStatus>('gate', ({ runId, gateId }) =>
      gateway.gateStatus(runId, gateId),
    ),
    readiness: activity<StepInput, Readiness>('readiness', ({ runId, step }) =>
      gateway.readiness(runId, step),
    ),
    completeRun: activity<RunInput, RunState>('complete', ({ runId }) => gateway.complete(runId)),
  };
}

/** Each step's one effect and, on the other queue, what takes it back. */
function effects({ gateway }: ActivityDeps, activity: Wrap) {
  const perform = (step: EffectStep) =>
    activity<RunInput, Performed>(step, ({ runId }, sender) =>
      gateway.perform(runId, step, sender),
    );
  const reverse = (step: EffectStep) =>
    activity<RunInput, Reversed>(step, ({ runId }, sender) => gateway.reverse(runId, step, sender));
  return {
    createCustomer: perform('create-customer'),
    linkAccount: perform('link-account'),
    startSubscription: perform('start-subscription'),
    registerDomain: perform('register-domain'),
    configureDns: perform('configure-dns'),
    deploySite: perform('deploy-site'),
    attachDomain: perform('attach-domain'),
    tearDownDomain: perform('attach-domain'),
    tearDownSite: perform('deploy-site'),
    tearDownDns: perform('configure-dns'),
    tearDownRegistration: perform('register-domain'),
    tearDownSubscription: perform('start-subscription'),
    tearDownCustomer: perform('create-customer'),
    verifySite: activity<RunInput, StepReport>('verify-site', ({ runId }) => gateway.verify(runId)),

    deleteCustomer: reverse('create-customer'),
    releaseAccount: reverse('link-account'),
    cancelSubscription: reverse('start-subscription'),
    disableAutoRenew: reverse('register-domain'),
    removeDnsRecords: reverse('configure-dns'),
    restoreSite: reverse('deploy-site'),
    detachDomain: reverse('attach-domain'),
  };
}

/** How a run is stopped, unwound and ended; these run on the queue that a stop leaves alone. */
function endings({ gateway }: ActivityDeps, activity: Wrap) {
  return {
    closeDoor: activity<CloseInput, { readonly steps: readonly EffectStep[] }>(
      'close',
      ({ runId, cause }) => gateway.closeDoor(runId, cause),
    ),
    finishRun: activity<FinishInput, RunState>('finish', ({ runId, why }) =>
      gateway.finish(runId, why),
    ),
    recordFailure: activity<FailureInput, undefined>(
      'failure',
      async ({ runId, step, code, message }) => {
        await gateway.recordFailure(runId, step, code, message);
        return undefined;
      },
    ),
    stopRun: activity<StopInput, undefined>('stop', async ({ runId, by, reason, mode }) => {
      await gateway.stopRun(runId, by, reason, mode);
      return undefined;
    }),
    resolveStep: activity<SignedInput, ResolveVerdict>('resolve', ({ runId, message }) =>
      gateway.resolve(runId, message),
    ),
    resumeRun: activity<SignedInput, ResolveVerdict>('resume', ({ runId, message }) =>
      gateway.resume(runId, message),
    ),
    reportRun: activity<RunInput, RunState>('report', ({ runId }) => gateway.report(runId)),
  };
}

export type Activities = ReturnType<typeof createActivities>;

/** One activity: heartbeats while it runs, a sender token of its own for each attempt, errors made safe. */
function wrap(deps: ActivityDeps) {
  return <In extends { readonly runId: string }, Out>(place: string, body: Body<In, Out>) =>
    async (input: In): Promise<Out> => {
      const context = Context.current();
      const name = context.info.activityType;
      // A killed worker would otherwise cost the whole start-to-close before the next attempt.
      const beat = setInterval(() => {
        context.heartbeat();
      }, deps.heartbeatMs ?? 800);
      try {
        // guard: whoever reaches Temporal can call any activity by itself; no workflow, no authority.
        if (!context.info.inWorkflow) await deps.gateway.stray(input.runId, name);
        const { failpoint } = deps;
        return await body(input, {
          token: randomUUID(),
          attempt: context.info.attempt,
          signal: context.cancellationSignal,
          ...(failpoint === undefined
            ? {}
            : {
                failpoint: (at: string) => {
                  failpoint(`${at}@${place}@${input.runId}`);
                },
              }),
        });
      } catch (error) {
        // Cut short by a cancellation: say so, unless the failure is one that stands by itself.
        if (context.cancellationSignal.aborted && !(error instanceof Failure))
          await context.cancelled;
        if (isUnforeseen(error)) deps.onUnforeseen?.(name, error);
        throw toTemporal(error, name);
      } finally {
        clearInterval(beat);
      }
    };
}
