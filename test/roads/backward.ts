import { expect } from '@jest/globals';
import { code, type Ground, type Road } from './ground.js';

/** Reversals without a cause, and ends that did not come. */
export function backwardRoads(at: () => Ground): readonly Road[] {
  const waiting = () => at().waiting.runId;
  const completed = () => at().completed.runId;
  const undo = (name: string, runId: () => string, more: object = {}) => ({
    go: () => at().rogue(name, { runId: runId(), ...more }, 'countersign-compensations'),
  });
  return [
    {
      name: 'taking back a step of a run that is not unwinding',
      ...undo('deleteCustomer', waiting),
      told: code('NO_CAUSE'),
      logged: 'reverse create-customer: NO_CAUSE',
    },
    {
      name: 'taking back the payment of a completed run',
      ...undo('cancelSubscription', completed),
      told: code('NO_CAUSE'),
      logged: 'reverse start-subscription: NO_CAUSE',
    },
    {
      name: 'taking the site of a completed run off the net',
      ...undo('detachDomain', completed),
      told: code('NO_CAUSE'),
      logged: 'reverse attach-domain: NO_CAUSE',
    },
    {
      name: 'closing a completed run for a failure that nobody recorded',
      ...undo('closeDoor', completed, { cause: { kind: 'failure', step: 'deploy-site' } }),
      told: code('NO_CAUSE'),
      logged: 'close-door: NO_CAUSE',
    },
    {
      name: 'closing a run as rejected that nobody rejected',
      ...undo('closeDoor', waiting, {
        cause: { kind: 'rejected', gateId: 'provision/road-waiting:plan:1' },
      }),
      told: code('NO_CAUSE'),
      logged: 'close-door: NO_CAUSE',
    },
    {
      name: 'closing a run by a gate that another run lost',
      ...undo('closeDoor', waiting, {
        cause: { kind: 'rejected', gateId: 'provision/road-rejected:plan:1' },
      }),
      told: code('NO_CAUSE'),
      logged: 'close-door: NO_CAUSE',
    },
    {
      name: 'closing a run that Temporal is said to have terminated',
      ...undo('closeDoor', waiting, { cause: { kind: 'temporal', status: 'TERMINATED' } }),
      told: code('NO_CAUSE'),
      logged: 'close-door: NO_CAUSE',
    },
    {
      name: 'ending a run that is open',
      ...undo('finishRun', waiting, { why: 'so they say' }),
      told: code('OUT_OF_ORDER'),
      logged: 'finish: OUT_OF_ORDER',
    },
    {
      name: 'a way on for a stuck step that nobody signed',
      ...undo('resolveStep', waiting, { message: { action: 'give-up', step: 'create-customer' } }),
      told: { answer: expect.objectContaining({ accepted: false, reason: 'malformed' }) },
      logged: 'resolve: malformed',
    },
    {
      name: 'lifting a stop without a signature',
      ...undo('resumeRun', waiting, { message: { scope: 'run/road-waiting' } }),
      told: { answer: expect.objectContaining({ accepted: false, reason: 'malformed' }) },
      logged: 'resume: malformed',
    },
  ];
}
