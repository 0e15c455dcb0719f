import type { AdmissionClaim } from '../../activities/api.js';
import { Failure, FAILURES, type FailureCode } from '../../domain/errors.js';
import type { EffectStep } from '../../domain/steps.js';
import type { Gateway } from '../../gateway/contract.js';
import { TASK_QUEUES } from '../../workflows/messages.js';
import type { callerOf } from './ground.js';

/** The activity that does a step, and the one that takes it back. */
export const ACTIVITIES: Readonly<Record<EffectStep, readonly [act: string, undo: string]>> = {
  'create-customer': ['createCustomer', 'deleteCustomer'],
  'link-account': ['linkAccount', 'releaseAccount'],
  'start-subscription': ['startSubscription', 'cancelSubscription'],
  'register-domain': ['registerDomain', 'disableAutoRenew'],
  'configure-dns': ['configureDns', 'removeDnsRecords'],
  'deploy-site': ['deploySite', 'restoreSite'],
  'attach-domain': ['attachDomain', 'detachDomain'],
};

/** The activity that takes down what the step of a completed run has made. */
export const TEARDOWNS: Readonly<Partial<Record<EffectStep, string>>> = {
  'create-customer': 'tearDownCustomer',
  'start-subscription': 'tearDownSubscription',
  'register-domain': 'tearDownRegistration',
  'configure-dns': 'tearDownDns',
  'deploy-site': 'tearDownSite',
  'attach-domain': 'tearDownDomain',
};

/** Each call as an activity that a workflow of nobody's has scheduled; its failure as the gateway's own. */
export function remoteGateway(gateway: Gateway, call: ReturnType<typeof callerOf>): Gateway {
  const ask = async (name: string, input: object, queue?: string): Promise<never> => {
    const { answer, code } = await call(name, input, queue);
    if (code === undefined) return answer as never;
    if (!(code in FAILURES)) throw new Error(`${name} failed with ${code}`);
    throw new Failure(code as FailureCode, `${name} through Temporal`);
  };
  const undo = TASK_QUEUES.compensations;
  return {
    ...gateway,
    perform: (runId, step) => ask(ACTIVITIES[step][0], { runId }),
    reverse: (runId, step) => ask(ACTIVITIES[step][1], { runId }, undo),
    closeDoor: (runId, cause) => ask('closeDoor', { runId, cause }, undo),
    complete: (runId) => ask('completeRun', { runId }),
    finish: (runId, why) => ask('finishRun', { runId, why }, undo),
    admit: (claim: AdmissionClaim) => ask('admit', claim),
  };
}
