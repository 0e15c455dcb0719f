import { ApplicationFailure, CancellationScope } from '@temporalio/workflow';
import type { ProvisionInput } from '../activities/api.js';
import { parseRunId } from '../domain/ids.js';
import type { RunState } from '../domain/plan.js';
import { failureOf } from './failure-of.js';
import { runFailureType } from './messages.js';
import { control, closing } from './proxies.js';
import { Run } from './run.js';
import { Saga } from './run-saga.js';
import type { EffectDefinition, StepDefinition } from './define-step.js';
import { attachDomain } from './steps/attach-domain.js';
import { configureDns } from './steps/configure-dns.js';
import { createCustomer } from './steps/create-customer.js';
import { deploySite } from './steps/deploy-site.js';
import { linkAccount } from './steps/link-account.js';
import { registerDomain } from './steps/register-domain.js';
import { startSubscription } from './steps/start-subscription.js';
import { verifySite } from './steps/verify-site.js';
import { unwind } from './unwind.js';
import type { Unwinding } from './unwind.js';

/** Steps that change the world, in order: cheap and reversible first, the pivot late, then forward. */
export const effectSteps = [
  createCustomer,
  linkAccount,
  startSubscription,
  registerDomain,
  configureDns,
  deploySite,
  attachDomain,
] as const satisfies readonly EffectDefinition[];

export const provisionSteps = [
  ...effectSteps,
  verifySite,
] as const satisfies readonly StepDefinition[];

/**
 * Takes an agent's request to a live site: admitted, planned, approved, paid once, registered, deployed, verified, or
 * taken back. Completes only as `completed`; every other end fails as `RUN_<END>` with the final report in its details.
 */
export function provision(claim: ProvisionInput): Promise<RunState> {
  return carriedOut(claim, provisionSteps);
}

/** One run over these steps, from its admission to its end. */
export async function carriedOut(
  claim: ProvisionInput,
  steps: readonly [StepDefinition, ...StepDefinition[]],
): Promise<RunState> {
  const run = new Run(parseRunId(claim.runId));
  run.listen();
  const state = await governed(run, claim, steps);
  run.board.ended(state);
  if (state.phase === 'completed') return state;
  throw ended(state);
}

async function governed(
  run: Run,
  claim: ProvisionInput,
  steps: readonly [StepDefinition, ...StepDefinition[]],
): Promise<RunState> {
  const door = await admit(run, claim);
  // A reset or a second start acts on what was, never again.
  if (door === 'completed') return report(run);
  const saga = new Saga(run, steps);
  if (door === 'closed')
    return back(saga, { cause: { kind: 'stopped' }, why: 'the door of the run is closed' });
  for (;;) {
    const ending = await saga.forward();
    switch (ending.kind) {
      case 'completed':
        await CancellationScope.nonCancellable(() => run.inbox.settle());
        return ending.state;
      case 'unwind':
        return back(saga, ending);
      case 'held':
        if (!(await run.resumed()))
          return back(saga, { cause: { kind: 'stopped' }, why: 'stopped while it was held' });
    }
  }
}

const back = (saga: Saga, ending: Pick<Unwinding, 'cause' | 'why'>) =>
  unwind(saga.run, { ...ending, pending: saga.pending, steps: effectSteps });

const report = (run: Run): Promise<RunState> =>
  CancellationScope.nonCancellable(() => closing.reportRun({ runId: run.runId }));

/** Makes the run exist, or refuses it: who is not admitted learns no more than that. */
async function admit(run: Run, claim: ProvisionInput): Promise<'open' | 'closed' | 'completed'> {
  try {
    const admitted = await CancellationScope.nonCancellable(() =>
      control.admit.executeWithOptions({ summary: 'who asks, and may they' }, [claim]),
    );
    run.board.admitted(admitted);
    run.inbox.admitted();
    return admitted.door;
  } catch (error) {
    const { code, message } = failureOf(error);
    const state: RunState = { ...run.board.state(), phase: 'denied', why: `${code}: ${message}` };
    run.board.ended(state);
    throw ended(state);
  }
}

const ended = (state: RunState): ApplicationFailure =>
  ApplicationFailure.create({
    type: runFailureType(state.phase),
    message: `the run ended ${state.phase}: ${state.why}`,
    nonRetryable: true,
    details: [state],
  });
