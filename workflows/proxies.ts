import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.js';
import { TASK_QUEUES } from './messages.js';

/** Timeouts and retries of every activity, in one place. What may be retried is said by domain/errors.ts alone. */

type Forward =
  | 'createCustomer'
  | 'linkAccount'
  | 'startSubscription'
  | 'registerDomain'
  | 'configureDns'
  | 'deploySite'
  | 'attachDomain'
  | 'tearDownDomain'
  | 'tearDownSite'
  | 'tearDownDns'
  | 'tearDownRegistration'
  | 'tearDownSubscription'
  | 'tearDownCustomer';
export type ForwardName = Forward;
export type ReversalName =
  | 'deleteCustomer'
  | 'releaseAccount'
  | 'cancelSubscription'
  | 'disableAutoRenew'
  | 'removeDnsRecords'
  | 'restoreSite'
  | 'detachDomain';
type Closing = 'closeDoor' | 'finishRun' | 'recordFailure' | 'stopRun' | 'reportRun';
type Judging = 'resolveStep' | 'resumeRun';

const HEARTBEAT = '3s';
// One attempt: read-back, check, one send of at most 20 s, settling. A longer wait ends the attempt instead.
const ATTEMPT = '90s';
const ACTION_RETRY = {
  initialInterval: '500ms',
  backoffCoefficient: 2,
  maximumInterval: '30s',
} as const;

/**
 * Actions: give up within the budget and unwind. The call in flight is waited for when the run is stopped, or it
 * would land after its own reversal.
 */
const action = (budget: '30m' | '2h' | '6h') =>
  proxyActivities<Pick<Activities, Forward>>({
    taskQueue: TASK_QUEUES.actions,
    startToCloseTimeout: ATTEMPT,
    scheduleToCloseTimeout: budget,
    heartbeatTimeout: HEARTBEAT,
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: ACTION_RETRY,
  });

/** Before the pivot: soon back. */
export const act = action('30m');
/** The pivot: a registrar may take its time, and a lost answer takes two looks 15 minutes apart. */
export const actAtPivot = action('2h');
/** After the pivot going forward is cheaper than going back. */
export const actAfterPivot = action('6h');

/** Certificates and name servers take their time: reading back is patient. */
export const { verifySite } = proxyActivities<Pick<Activities, 'verifySite'>>({
  taskQueue: TASK_QUEUES.actions,
  startToCloseTimeout: ATTEMPT,
  scheduleToCloseTimeout: '2h',
  heartbeatTimeout: HEARTBEAT,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: ACTION_RETRY,
});

/** Planning, gates, decisions: the record and reads. No budget: while the database is away, the run waits. */
export const control = proxyActivities<
  Omit<Activities, Forward | ReversalName | Closing | Judging | 'verifySite'>
>({
  taskQueue: TASK_QUEUES.actions,
  startToCloseTimeout: ATTEMPT,
  heartbeatTimeout: HEARTBEAT,
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '15s' },
});

/** Stopping, closing, reporting: on the queue of the clean-up, which a stop leaves alone. */
export const closing = proxyActivities<Pick<Activities, Closing>>({
  taskQueue: TASK_QUEUES.compensations,
  startToCloseTimeout: ATTEMPT,
  heartbeatTimeout: HEARTBEAT,
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '15s' },
});

/** Signed orders. A person waits for the answer: one that takes too long is sent again, and blocks no other order. */
export const judging = proxyActivities<Pick<Activities, Judging>>({
  taskQueue: TASK_QUEUES.compensations,
  startToCloseTimeout: ATTEMPT,
  scheduleToCloseTimeout: '5m',
  heartbeatTimeout: HEARTBEAT,
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '15s' },
});

/** Reversals keep trying for days, then ask a person: a finite retry that runs out silently orphans things. */
export const undo = proxyActivities<Pick<Activities, ReversalName>>({
  taskQueue: TASK_QUEUES.compensations,
  startToCloseTimeout: ATTEMPT,
  scheduleToCloseTimeout: '3 days',
  heartbeatTimeout: HEARTBEAT,
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '10m' },
});
