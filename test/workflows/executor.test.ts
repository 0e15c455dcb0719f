import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client, Connection, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { NativeConnection, Worker, bundleWorkflowCode } from '@temporalio/worker';
import path from 'node:path';
import { createActivities } from '../../activities/index.js';
import { Failure } from '../../domain/errors.js';
import type { RunId } from '../../domain/ids.js';
import { STEPS } from '../../domain/steps.js';
import type { Gateway } from '../../gateway/contract.js';
import { TASK_QUEUES } from '../../workflows/messages.js';
import { startTestTemporal, type TestTemporal } from '../helpers/temporal.js';
import { GatewayDouble } from './double.js';

let temporal: TestTemporal;
let connection: Connection;
let native: NativeConnection;
let client: Client;
let bundle: Awaited<ReturnType<typeof bundleWorkflowCode>>;
const silent = () => undefined;
const EFFECTS = STEPS.filter((step) => step !== 'verify-site');

beforeAll(async () => {
  temporal = await startTestTemporal();
  connection = await Connection.connect({ address: temporal.address });
  native = await NativeConnection.connect({ address: temporal.address });
  client = new Client({ connection, namespace: temporal.namespace });
  bundle = await bundleWorkflowCode({
    workflowsPath: path.resolve(import.meta.dirname, '../../workflows/index.ts'),
    logger: {
      log: silent,
      trace: silent,
      debug: silent,
      info: silent,
      warn: silent,
      error: silent,
    },
  });
});

afterAll(async () => {
  await connection.close();
  await native.close();
  await temporal.stop();
});

/** Runs workers over this double until the test body ends. */
async function withWorkers(
  double: GatewayDouble,
  body: () => Promise<void>,
  gateway: Gateway = double.gateway(),
): Promise<void> {
  const activities = createActivities({ gateway, heartbeatMs: 100 });
  const workers = await Promise.all(
    Object.values(TASK_QUEUES).map((taskQueue) =>
      Worker.create({
        connection: native,
        namespace: temporal.namespace,
        taskQueue,
        maxHeartbeatThrottleInterval: '100ms',
        defaultHeartbeatThrottleInterval: '100ms',
        ...(taskQueue === TASK_QUEUES.workflows ? { workflowBundle: bundle } : { activities }),
      }),
    ),
  );
  const running = Promise.all(workers.map((worker) => worker.run()));
  try {
    await body();
  } finally {
    double.letGo();
    for (const worker of workers) worker.shutdown();
    await running;
  }
}

let runs = 0;
async function start(): Promise<WorkflowHandle> {
  runs += 1;
  const runId = `run-${runs}` as RunId;
  return client.workflow.start('provision', {
    workflowId: `provision/${runId}`,
    taskQueue: TASK_QUEUES.workflows,
    args: [{ runId, request: '{}', statement: '{}', signature: '' }],
  });
}

/** The type of failure that a run ended with: `RUN_REVERSED` and so on. */
async function failureTypeOf(handle: WorkflowHandle): Promise<string> {
  const error: unknown = await handle.result().catch((thrown: unknown) => thrown);
  if (!(error instanceof WorkflowFailedError)) throw new Error(`it did not fail: ${String(error)}`);
  return error.cause instanceof ApplicationFailure ? (error.cause.type ?? '') : String(error.cause);
}

async function until(is: () => boolean): Promise<void> {
  while (!is()) await new Promise((resolve) => setImmediate(resolve));
}

test('a run performs every step once, in order, and completes', async () => {
  const double = new GatewayDouble();
  await withWorkers(double, async () => {
    const handle = await start();
    await expect(handle.result()).resolves.toMatchObject({ phase: 'completed' });
    expect(double.order).toEqual(EFFECTS.map((step) => `do ${step}`));
  });
});

test('a reversal is on the stack before its action: a failure that hides a success is reversed', async () => {
  const double = new GatewayDouble();
  // The record knows nothing here, so that only the executor's own stack can tell.
  double.recordKnows = false;
  double.behaviour['register-domain'] = 'act-then-fail';
  await withWorkers(double, async () => {
    expect(await failureTypeOf(await start())).toBe('RUN_REVERSED');
    expect([...double.living]).toEqual([]);
    expect(double.order.filter((line) => line.startsWith('undo'))).toEqual([
      'undo register-domain',
      'undo start-subscription',
      'undo link-account',
      'undo create-customer',
    ]);
  });
});

test('what the record holds and this execution does not know of is reversed too', async () => {
  const double = new GatewayDouble();
  double.living.add('deploy-site');
  double.behaviour['create-customer'] = 'refuse';
  await withWorkers(double, async () => {
    expect(await failureTypeOf(await start())).toBe('RUN_REVERSED');
    expect([...double.living]).toEqual([]);
  });
});

test('a cancel through Temporal does not reach the clean-up: everything is reversed', async () => {
  const double = new GatewayDouble();
  double.behaviour['configure-dns'] = 'slow';
  await withWorkers(double, async () => {
    const handle = await start();
    await until(() => double.order.includes('do configure-dns'));
    await handle.cancel();
    await until(() => double.order.includes('cancel asked of configure-dns'));
    double.letGo();
    expect(await failureTypeOf(handle)).toBe('RUN_REVERSED');
    expect([...double.living]).toEqual([]);
  });
});

test('an action on its way is waited for before it is reversed, and a second cancel changes nothing', async () => {
  const double = new GatewayDouble();
  double.behaviour['register-domain'] = 'slow';
  await withWorkers(double, async () => {
    const handle = await start();
    await until(() => double.order.includes('do register-domain'));
    await handle.signal('stop', { mode: 'unwind', reason: 'a test', by: 'a test' });
    await until(() => double.order.includes('cancel asked of register-domain'));
    await handle.cancel();
    // Nothing is reversed while the call is on its way: it would land after its own reversal. A hundred answers of
    // the workflow are time enough for an executor that does not wait.
    const undone = () => double.order.some((line) => line.startsWith('undo'));
    for (let asked = 0; asked < 100 && !undone(); asked += 1) await handle.query('state');
    double.letGo();
    expect(await failureTypeOf(handle)).toBe('RUN_REVERSED');
    expect(double.order.indexOf('landed register-domain')).toBeGreaterThan(-1);
    expect(double.order.indexOf('undo register-domain')).toBeGreaterThan(
      double.order.indexOf('landed register-domain'),
    );
    expect([...double.living]).toEqual([]);
  });
});

test('a stop stands although the action in flight succeeded: no further step begins', async () => {
  const double = new GatewayDouble();
  double.behaviour['deploy-site'] = 'slow';
  await withWorkers(double, async () => {
    const handle = await start();
    await until(() => double.order.includes('do deploy-site'));
    // The double lets later steps through even when stopped: only the executor can stand still.
    await handle.signal('stop', { mode: 'unwind', reason: 'a test', by: 'a test' });
    await until(() => double.order.includes('cancel asked of deploy-site'));
    double.letGo();
    expect(await failureTypeOf(handle)).toBe('RUN_REVERSED');
    expect(double.order).not.toContain('do attach-domain');
    expect([...double.living]).toEqual([]);
  });
});

test('a stop during the very last action unwinds instead of completing', async () => {
  const double = new GatewayDouble();
  double.behaviour['attach-domain'] = 'slow';
  await withWorkers(double, async () => {
    const handle = await start();
    await until(() => double.order.includes('do attach-domain'));
    await handle.signal('stop', { mode: 'unwind', reason: 'a test', by: 'a test' });
    await until(() => double.order.includes('cancel asked of attach-domain'));
    double.letGo();
    expect(await failureTypeOf(handle)).toBe('RUN_REVERSED');
    expect([...double.living]).toEqual([]);
  });
});

test('a stop that comes while the last step is on its way stands, although nothing was left to do', async () => {
  const double = new GatewayDouble();
  let seen: () => void = () => undefined;
  const verified = new Promise<void>((resolve) => (seen = resolve));
  let looking = false;
  const base = double.gateway();
  const gateway: Gateway = {
    ...base,
    verify: async (runId) => {
      looking = true;
      await verified;
      return base.verify(runId);
    },
  };
  await withWorkers(
    double,
    async () => {
      const handle = await start();
      await until(() => looking);
      await handle.signal('stop', { mode: 'unwind', reason: 'a test', by: 'a test' });
      await until(() => double.stopped);
      seen();
      expect(await failureTypeOf(handle)).toBe('RUN_REVERSED');
      expect(double.end).toBe('reversed');
      expect([...double.living]).toEqual([]);
    },
    gateway,
  );
});

test('a reversal that cannot be done parks the run as stuck, by name, until a person resolves it', async () => {
  const double = new GatewayDouble();
  double.behaviour['deploy-site'] = 'refuse';
  double.irreversible.add('start-subscription');
  await withWorkers(double, async () => {
    const handle = await start();
    let state: { phase: string; why: string } | undefined;
    while (state?.phase !== 'stuck') state = await handle.query('state');
    expect(state.why).toContain('start-subscription');
    await handle.signal('resolve', { any: 'thing' });
    expect(await failureTypeOf(handle)).toBe('RUN_REVERSED');
    expect([...double.living]).toEqual([]);
  });
});

test('a rejection before anything was done ends rejected; the plain signal alone is enough', async () => {
  const double = new GatewayDouble();
  double.gateStates.set('plan', { state: 'open', remainingMs: 60_000, missing: 'one approver' });
  await withWorkers(double, async () => {
    const handle = await start();
    await handle.signal('decide', decision(handle.workflowId, 'reject'));
    expect(await failureTypeOf(handle)).toBe('RUN_REJECTED');
    expect(double.order).toEqual([]);
  });
});

test('a gate that the record calls expired ends expired, whatever the workflow waited for', async () => {
  const double = new GatewayDouble();
  double.gateStates.set('plan', { state: 'expired' });
  await withWorkers(double, async () => {
    expect(await failureTypeOf(await start())).toBe('RUN_EXPIRED');
    expect(double.order).toEqual([]);
  });
});

test('a decision that is not even an object changes nothing and ends nothing', async () => {
  const double = new GatewayDouble();
  double.gateStates.set('plan', { state: 'open', remainingMs: 60_000, missing: 'one approver' });
  await withWorkers(double, async () => {
    const handle = await start();
    await handle.signal('decide', 'yes');
    await handle.signal('decide', null);
    await handle.signal('stop', 17);
    await handle.signal('decide', decision(handle.workflowId, 'approve'));
    await expect(handle.result()).resolves.toMatchObject({ phase: 'completed' });
  });
});

test('a run that was reset after it completed only reports', async () => {
  const double = new GatewayDouble();
  double.door = 'completed';
  double.end = 'completed';
  await withWorkers(double, async () => {
    await expect((await start()).result()).resolves.toMatchObject({ phase: 'completed' });
    expect(double.order).toEqual([]);
  });
});

test('a hold keeps the run still until it is resumed', async () => {
  const double = new GatewayDouble();
  double.behaviour['deploy-site'] = 'slow';
  await withWorkers(double, async () => {
    const handle = await start();
    await until(() => double.order.includes('do deploy-site'));
    await handle.signal('stop', { mode: 'hold', reason: 'a test', by: 'a test' });
    await until(() => double.stopped);
    double.letGo();
    let phase = '';
    while (phase !== 'held') phase = (await handle.query<{ phase: string }>('state')).phase;
    expect(double.order.filter((line) => line.startsWith('undo'))).toEqual([]);
    double.stopped = false;
    await handle.signal('resume', { any: 'thing' });
    await expect(handle.result()).resolves.toMatchObject({ phase: 'completed' });
  });
});

function decision(workflowId: string, made: 'approve' | 'reject') {
  return {
    type: 'countersign.decision.v1',
    instance: '0'.repeat(32),
    gateId: `${workflowId}:plan:1`,
    actionDigest: `sha256:${'1'.repeat(64)}`,
    decision: made,
    approver: 'p_x',
    keyId: 'A'.repeat(43),
    surface: 'cli',
    decidedAt: '2026-01-01T00:00:00.000Z',
    signature: { kind: 'ed25519', value: 'A'.repeat(86) },
  };
}

test('a provider that does not answer is waited for, at each kind of call, and nothing is taken back', async () => {
  const double = new GatewayDouble();
  const gateway = double.gateway();
  const waited = new Set<string>();
  const onceDown = <T>(call: string, body: () => Promise<T>): Promise<T> => {
    if (waited.has(call)) return body();
    waited.add(call);
    return Promise.reject(new Failure('PROVIDER_WAITS', 'waits for stripe: it does not answer'));
  };
  await withWorkers(
    double,
    async () => {
      const handle = await start();
      await expect(handle.result()).resolves.toMatchObject({ phase: 'completed' });
      expect(double.order).toEqual(EFFECTS.map((step) => `do ${step}`));
      expect([...waited].sort()).toEqual(['perform', 'plan', 'readiness', 'verify']);
    },
    {
      ...gateway,
      plan: (runId) => onceDown('plan', () => gateway.plan(runId)),
      readiness: (runId, step) => onceDown('readiness', () => gateway.readiness(runId, step)),
      perform: (runId, step, sender) =>
        onceDown('perform', () => gateway.perform(runId, step, sender)),
      verify: (runId) => onceDown('verify', () => gateway.verify(runId)),
    },
  );
}, 60_000);
