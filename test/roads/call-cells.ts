import type { RunId } from '../../domain/ids.js';
import type { Cause } from '../../gateway/contract.js';
import type { EffectStep } from '../../domain/steps.js';
import { claimOf, sender } from '../gateway/house.js';
import type { GateSeen } from './defects.js';
import { newKey } from './ground.js';
import type { CALL_ROADS } from './roads-of.js';
import { answerOf, type TableHouse } from './table-house.js';

type Row = readonly [
  (typeof CALL_ROADS)[number],
  string,
  { readonly go: () => Promise<string>; readonly told: string },
];

/** Calls with run ids and step names alone: what a workflow of anybody's could make our activities ask. */
export function callCells(at: () => TableHouse): readonly Row[] {
  type Gate = () => GateSeen;
  const open: Gate = () => at().places.open;
  const granted: Gate = () => at().grantedGate;
  const completed: Gate = () => at().completedGate;
  const id = (gate: Gate): RunId => gate().runId as RunId;
  const call = (road: Row[0], name: string, told: string, body: () => Promise<unknown>): Row => [
    road,
    name,
    { told, go: () => answerOf(body) },
  ];
  const perform = (name: string, told: string, gate: Gate, step: EffectStep = 'create-customer') =>
    call('perform', name, told, () => at().gateway.perform(id(gate), step, sender()));
  const reverse = (name: string, told: string, gate: Gate, step: EffectStep) =>
    call('reverse', name, told, () => at().gateway.reverse(id(gate), step, sender()));
  const close = (name: string, cause: () => object, gate: Gate = granted) =>
    call('closeDoor', name, 'NO_CAUSE', () => at().gateway.closeDoor(id(gate), cause() as Cause));
  return [
    perform('a gate that lacks a person', 'gate-open', open),
    perform('a gate that was rejected', 'gate-rejected', () => at().places.rejected),
    perform('a gate that has expired', 'gate-expired', () => at().places.expired),
    perform('a gate that is void', 'gate-void', () => at().places.void),
    perform('the payment before its customer', 'OUT_OF_ORDER', granted, 'start-subscription'),
    perform('the purchase first', 'OUT_OF_ORDER', granted, 'register-domain'),
    perform('a run that is stopped', 'FENCED', () => at().stoppedGate),
    perform('a run whose door is closed', 'DOOR_CLOSED', () => at().closedGate),
    perform('a run that was never admitted', 'RUN_UNKNOWN', () => ({
      ...open(),
      runId: 'table-nowhere',
    })),
    reverse('a run that is open', 'NO_CAUSE', granted, 'create-customer'),
    reverse('a run that has completed', 'NO_CAUSE', completed, 'start-subscription'),
    reverse('the site of a run that has completed', 'NO_CAUSE', completed, 'attach-domain'),
    close('a failure that nobody recorded', () => ({ kind: 'failure', step: 'deploy-site' })),
    close('a gate that was not rejected', () => ({ kind: 'rejected', gateId: granted().gateId })),
    close('a gate that another run lost', () => ({
      ...{ kind: 'rejected', gateId: at().places.rejected.gateId },
    })),
    close('a gate that another run let expire', () => ({
      ...{ kind: 'expired', gateId: at().places.expired.gateId },
    })),
    close('another run’s void gate', () => ({
      ...{ kind: 'void', gateId: at().places.void.gateId },
    })),
    close('a plan that was not denied', () => ({ kind: 'denied' })),
    close('a stop that nobody ordered', () => ({ kind: 'stopped' })),
    close('a word that nobody signed', () => ({ kind: 'resolved', step: 'deploy-site' })),
    close('an end that Temporal never told', () => ({ kind: 'temporal', status: 'TERMINATED' })),
    close('a completed run', () => ({ kind: 'stopped' }), completed),
    call('complete', 'a run that did nothing', 'OUT_OF_ORDER', () =>
      at().gateway.complete(id(granted)),
    ),
    call('finish', 'a run that is open', 'OUT_OF_ORDER', () =>
      at().gateway.finish(id(granted), 'so they say'),
    ),
    call('finish', 'a run that is not taken back', 'OUT_OF_ORDER', () =>
      at().gateway.finish(
        id(() => at().unwindingGate),
        'so they say',
      ),
    ),
    ...admissions(at),
  ];
}

function admissions(at: () => TableHouse): readonly Row[] {
  const RUN = 'table-forged';
  const admit = (name: string, reason: string, claim: () => ReturnType<typeof claimOf>): Row => [
    'admit',
    name,
    {
      told: reason,
      go: async () => {
        const code = await answerOf(() => at().gateway.admit(claim()));
        // Whoever asks is told that they are refused; why is for the record alone.
        return code === 'ADMISSION_REFUSED' ? reason : code;
      },
    },
  ];
  const claim = (change: Record<string, unknown> = {}, by: Parameters<typeof claimOf>[3] = {}) =>
    claimOf(at().house, RUN, change, by);
  return [
    admit('another installation', 'instance-mismatch', () =>
      claim({}, { statement: { instance: '0'.repeat(32) } }),
    ),
    admit('another run', 'run-mismatch', () => ({ ...claim(), runId: 'table-elsewhere' })),
    admit('a key that nobody registered', 'key-unknown', () =>
      claim({}, { statement: { keyId: newKey().keyId } }),
    ),
    admit('a person’s key', 'key-unknown', () =>
      claim({}, { statement: { keyId: at().cast.fay.key.keyId } }),
    ),
    admit('another key’s signature', 'signature-bad', () =>
      claim({}, { seed: at().house.ada.seed }),
    ),
    admit('no signature', 'signature-bad', () => ({ ...claim(), signature: '' })),
    admit('a request that is dearer by a cent than the one signed', 'digest-mismatch', () => ({
      ...claim(),
      request: claim({ budget: '60.01 USD' }).request,
    })),
    admit('the id of a run that is somebody else’s', 'run-id-taken', () =>
      claimOf(at().house, at().places.open.runId),
    ),
    admit('another statement type', 'malformed', () =>
      claim({}, { statement: { type: 'countersign.decision.v1' } }),
    ),
  ];
}
