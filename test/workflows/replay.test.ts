import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { WorkflowHandle } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { processVariables } from '../../config/environment.js';
import type { GateStatus } from '../../gateway/contract.js';
import { teardownSteps } from '../../workflows/teardown.js';
import { GatewayDouble } from './double.js';
import { decision, endOf, reached, startHarness, type Harness } from './harness.js';

/**
 * Every open run has to replay on tomorrow's code. `test/histories/` holds runs as they were recorded; a change that
 * alters the order of what a workflow asks for needs `patched()`, and keeps the old recordings. To record anew, after
 * such a change: COUNTERSIGN_RECORD_HISTORIES=<name of the recording> npm test -- test/workflows/replay
 */
const FOLDER = path.resolve(import.meta.dirname, '../histories');
const OPEN: GateStatus = { state: 'open', remainingMs: 600_000, missing: 'one approver' };

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.close());

const { History } = temporal.api.history.v1;

/**
 * A history as JSON, by the protocol package itself: the reader that the SDK has for the server's own JSON form fails
 * where npm installs two copies of protobufjs. Where the code lay that ran it is nobody's business.
 */
function textOf(history: temporal.api.history.v1.IHistory): string {
  const plain = History.toObject(History.fromObject(history), {
    bytes: String,
    enums: String,
    longs: String,
  });
  return JSON.stringify(plain, (key, value: unknown) => (key === 'stackTrace' ? '' : value));
}

const replay = (text: string, workflowId: string): Promise<void> =>
  Worker.runReplayHistory(
    { workflowBundle: harness.bundle },
    History.fromObject(JSON.parse(text) as Record<string, unknown>),
    workflowId,
  );

interface Scenario {
  readonly name: string;
  /** Absent: `provision`. */
  readonly workflow?: 'teardown';
  readonly prepare: (double: GatewayDouble) => void;
  /** Brings the run to where its history is taken. */
  readonly play: (handle: WorkflowHandle, double: GatewayDouble) => Promise<unknown>;
}

const decide = (handle: WorkflowHandle, made: 'approve' | 'reject', gate: string) =>
  handle.signal('decide', decision(handle.workflowId, made, { gate }));

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'completed',
    prepare: ({ gateStates }) => gateStates.set('plan', OPEN).set('register-domain', OPEN),
    play: async (handle) => {
      await reached(handle, 'awaiting-approval');
      await handle.executeUpdate('decide', { args: [decision(handle.workflowId, 'approve')] });
      while ((await reached(handle, 'awaiting-approval')).openGate?.gate !== 'register-domain');
      await decide(handle, 'approve', 'register-domain');
      await handle.result();
    },
  },
  {
    name: 'reversed',
    prepare: ({ behaviour }) => (behaviour['deploy-site'] = 'refuse'),
    play: endOf,
  },
  {
    name: 'rejected',
    prepare: ({ gateStates }) => gateStates.set('plan', OPEN),
    play: async (handle) => {
      await handle.signal('decide', 'nonsense' as never);
      await decide(handle, 'reject', 'plan');
      await endOf(handle);
    },
  },
  {
    name: 'stuck',
    prepare: (double) => {
      double.behaviour['attach-domain'] = 'refuse';
      double.irreversible.add('register-domain');
    },
    play: (handle) => reached(handle, 'stuck'),
  },
  {
    name: 'stuck-resolved',
    prepare: (double) => {
      double.behaviour['attach-domain'] = 'refuse';
      double.irreversible.add('register-domain');
    },
    play: async (handle) => {
      await reached(handle, 'stuck');
      await handle.signal('resolve', 'signed' as never);
      await endOf(handle);
    },
  },
  {
    name: 'held-resumed',
    prepare: ({ gateStates }) => gateStates.set('register-domain', OPEN),
    play: async (handle, double) => {
      await reached(handle, 'awaiting-approval');
      await handle.signal('stop', { mode: 'hold', reason: 'wait', by: 'p_x' });
      await reached(handle, 'held');
      double.stopped = false;
      await handle.signal('resume', 'signed' as never);
      await reached(handle, 'awaiting-approval');
      await decide(handle, 'approve', 'register-domain');
      await handle.result();
    },
  },
  {
    name: 'cancelled',
    prepare: ({ gateStates }) => gateStates.set('register-domain', OPEN),
    play: async (handle) => {
      await reached(handle, 'awaiting-approval');
      await handle.cancel();
      await endOf(handle);
    },
  },
  {
    name: 'teardown-completed',
    workflow: 'teardown',
    prepare: ({ gateStates }) => gateStates.set('plan', OPEN),
    play: async (handle, double) => {
      await reached(handle, 'awaiting-approval');
      await handle.executeUpdate('decide', { args: [decision(handle.workflowId, 'approve')] });
      await handle.result();
      expect(double.order).toEqual(teardownSteps.map(({ name }) => `do ${name}`));
    },
  },
  {
    name: 'teardown-failed',
    workflow: 'teardown',
    prepare: ({ behaviour }) => (behaviour['configure-dns'] = 'refuse'),
    play: async (handle, double) => {
      expect((await endOf(handle)).type).toBe('RUN_REVERSED');
      expect(double.order).not.toContain('do register-domain');
    },
  },
];

test.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))(
  'a run that is %s replays on the code that ran it',
  async (_name, { name, prepare, play, workflow }) => {
    const double = new GatewayDouble();
    prepare(double);
    await harness.withWorkers(double.gateway(), async () => {
      const handle = await harness.start(undefined, workflow);
      await play(handle, double);
      const text = textOf(await handle.fetchHistory());
      await replay(text, handle.workflowId);
      record(name, text);
      if (name === 'stuck') await handle.terminate('the test has seen enough');
    });
  },
);

const recordings = readdirSync(FOLDER).filter((file) => file.endsWith('.json'));

test('there is a recording of each kind of run', () => {
  for (const { name } of SCENARIOS)
    expect(recordings.filter((file) => file.startsWith(`${name}.`))).not.toEqual([]);
});

for (const file of recordings)
  test(`the recorded run ${file} replays on today's workflows`, async () => {
    await replay(readFileSync(path.join(FOLDER, file), 'utf8'), 'provision/recorded');
  });

test('a history in another order is found out', async () => {
  const text = readFileSync(path.join(FOLDER, 'reversed.v1.json'), 'utf8');
  const swapped = text
    .replaceAll('"createCustomer"', '"swapped"')
    .replaceAll('"linkAccount"', '"createCustomer"')
    .replaceAll('"swapped"', '"linkAccount"');
  expect(swapped).not.toBe(text);
  await expect(replay(swapped, 'provision/recorded')).rejects.toThrow(DeterminismViolationError);
});

/** Writes a recording when one is asked for. */
function record(name: string, text: string): void {
  const as = processVariables()['COUNTERSIGN_RECORD_HISTORIES'];
  if (as !== undefined && as !== '')
    writeFileSync(path.join(FOLDER, `${name}.${as}.json`), `${text}\n`);
}
