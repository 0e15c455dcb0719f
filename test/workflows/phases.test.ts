import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { WorkflowHandle } from '@temporalio/client';
import { Failure } from '../../domain/errors.js';
import type { RunId } from '../../domain/ids.js';
import type { RunState } from '../../domain/plan.js';
import type { Gateway, GateStatus } from '../../gateway/contract.js';
import { TASK_QUEUES } from '../../workflows/messages.js';
import { GatewayDouble } from './double.js';
import { decision, endOf, reached, startHarness, type Harness } from './harness.js';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.close());

const OPEN: GateStatus = { state: 'open', remainingMs: 60_000, missing: 'one approver' };
const STOP = { mode: 'unwind', reason: 'enough', by: 'p_x' };

/** Lets something be waited for until the test says so. */
function latch(): { readonly passed: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

test('a stop while the run is quoted ends it before anything was done', async () => {
  const double = new GatewayDouble();
  const base = double.gateway();
  const quoting = latch();
  const gateway: Gateway = {
    ...base,
    plan: async (runId) => {
      await quoting.passed;
      return base.plan(runId);
    },
  };
  await harness.withWorkers(gateway, async () => {
    const handle = await harness.start();
    await reached(handle, 'quoting');
    await handle.signal('stop', STOP);
    quoting.open();
    const { type, report } = await endOf(handle);
    expect(type).toBe('RUN_REVERSED');
    expect(report?.why).toBe('stopped by p_x: enough');
    expect(double.order).toEqual([]);
    expect(double.stopped).toBe(true);
  });
});

test('a stop that came before the run was admitted is put on record once it is', async () => {
  const double = new GatewayDouble();
  const base = double.gateway();
  let admitted = false;
  const gateway: Gateway = {
    ...base,
    admit: async (claim) => {
      const answer = await base.admit(claim);
      admitted = true;
      return answer;
    },
    // As the record: it knows no run before its admission, and bears no stop out that it was not told of.
    stopRun: (runId, by, reason, mode) =>
      admitted
        ? base.stopRun(runId, by, reason, mode)
        : Promise.reject(new Failure('RUN_UNKNOWN', 'no such run')),
    closeDoor: (runId, cause) =>
      double.stopped
        ? base.closeDoor(runId, cause)
        : Promise.reject(new Failure('NO_CAUSE', 'not on record')),
  };
  const handle = await harness.start();
  await handle.signal('stop', STOP);
  await harness.withWorkers(gateway, async () => {
    expect((await endOf(handle)).type).toBe('RUN_REVERSED');
    expect(double.order).toEqual([]);
  });
});

test('a stop at a gate ends the wait at once', async () => {
  const double = new GatewayDouble();
  double.gateStates.set('register-domain', OPEN);
  await harness.withWorkers(double.gateway(), async () => {
    const handle = await harness.start();
    await reached(handle, 'awaiting-approval');
    await handle.signal('stop', STOP);
    expect((await endOf(handle)).type).toBe('RUN_REVERSED');
    expect([...double.living]).toEqual([]);
  });
});

test('a run waits for what only a person can do, says of whom, and goes on by itself', async () => {
  const double = new GatewayDouble();
  let method = false;
  const gateway: Gateway = {
    ...double.gateway(),
    readiness: (_runId, step) =>
      Promise.resolve(
        step !== 'start-subscription' || method
          ? { ready: true }
          : { ready: false, need: 'a payment method', who: 'the principal pr_p' },
      ),
  };
  await harness.withWorkers(gateway, async () => {
    const handle = await harness.start();
    const waiting = await reached(handle, 'needs-input');
    expect(waiting.waitsFor).toEqual({
      what: 'a payment method',
      who: 'the principal pr_p',
      command: `countersign why ${waiting.runId}`,
    });
    method = true;
    await expect(handle.result()).resolves.toMatchObject({ phase: 'completed' });
  });
});

test('a stop while a person is waited for unwinds', async () => {
  const double = new GatewayDouble();
  const gateway: Gateway = {
    ...double.gateway(),
    readiness: (_runId, step) =>
      Promise.resolve(
        step === 'start-subscription'
          ? { ready: false, need: 'a payment method', who: 'the principal' }
          : { ready: true },
      ),
  };
  await harness.withWorkers(gateway, async () => {
    const handle = await harness.start();
    await reached(handle, 'needs-input');
    await handle.signal('stop', STOP);
    expect((await endOf(handle)).type).toBe('RUN_REVERSED');
    expect([...double.living]).toEqual([]);
  });
});

test('a stop over everything, which fences first and signals nobody, unwinds the run', async () => {
  const double = new GatewayDouble();
  const base = double.gateway();
  const gateway: Gateway = {
    ...base,
    perform: (runId, step, sender) =>
      step === 'configure-dns'
        ? Promise.reject(new Failure('FENCED', 'stopped: all'))
        : base.perform(runId, step, sender),
  };
  await harness.withWorkers(gateway, async () => {
    expect((await endOf(await harness.start())).type).toBe('RUN_REVERSED');
    expect([...double.living]).toEqual([]);
  });
});

test('a held run that is resumed asks for nothing again that has succeeded', async () => {
  const double = new GatewayDouble();
  double.gateStates.set('register-domain', OPEN);
  await harness.withWorkers(double.gateway(), async () => {
    const handle = await harness.start();
    await reached(handle, 'awaiting-approval');
    await handle.signal('stop', { ...STOP, mode: 'hold' });
    expect((await reached(handle, 'held')).waitsFor?.command).toMatch(/countersign resume --run/);
    double.stopped = false;
    await handle.signal('resume', { signed: 'by somebody who may' });
    await reached(handle, 'awaiting-approval');
    await handle.signal(
      'decide',
      decision(handle.workflowId, 'approve', { gate: 'register-domain' }),
    );
    await expect(handle.result()).resolves.toMatchObject({ phase: 'completed' });
    expect(new Set(double.order).size).toBe(double.order.length);
  });
});

test('a resume that is refused leaves the run held, and a stop that unwinds overrules the hold', async () => {
  const double = new GatewayDouble();
  double.gateStates.set('register-domain', OPEN);
  let asked = 0;
  const gateway: Gateway = {
    ...double.gateway(),
    resume: () => {
      asked += 1;
      return Promise.resolve({ accepted: false, reason: 'signature-bad' });
    },
  };
  await harness.withWorkers(gateway, async () => {
    const handle = await harness.start();
    await reached(handle, 'awaiting-approval');
    await handle.signal('stop', { ...STOP, mode: 'hold' });
    await reached(handle, 'held');
    await handle.signal('resume', 'please');
    while (asked === 0) await reached(handle, 'held');
    expect([...double.living]).not.toEqual([]);
    await handle.signal('stop', STOP);
    expect((await endOf(handle)).type).toBe('RUN_REVERSED');
    expect([...double.living]).toEqual([]);
  });
});

test('a resolve that is refused leaves the run stuck; a stop changes nothing there', async () => {
  const double = new GatewayDouble();
  double.behaviour['deploy-site'] = 'refuse';
  double.irreversible.add('register-domain');
  let refuse = true;
  const base = double.gateway();
  let asked = 0;
  const gateway: Gateway = {
    ...base,
    resolve: (runId, message) => {
      asked += 1;
      return refuse
        ? Promise.resolve({ accepted: false, reason: 'unsigned' })
        : base.resolve(runId, message);
    },
  };
  await harness.withWorkers(gateway, async () => {
    const handle = await harness.start();
    const stuck = await reached(handle, 'stuck');
    expect(stuck.why).toMatch(/^register-domain: /);
    expect(stuck.steps.find(({ step }) => step === 'register-domain')?.outcome).toBe('stuck');
    await handle.signal('stop', STOP);
    await handle.signal('resolve', 'just do it');
    while (asked === 0) await reached(handle, 'stuck');
    refuse = false;
    await handle.signal('resolve', 'signed now');
    expect((await endOf(handle)).type).toBe('RUN_REVERSED');
    expect([...double.living]).toEqual([]);
  });
});

test('a resolve that cannot be judged is refused by its reason, and the next one counts', async () => {
  const double = new GatewayDouble();
  double.behaviour['deploy-site'] = 'refuse';
  double.irreversible.add('register-domain');
  const base = double.gateway();
  let asked = 0;
  const gateway: Gateway = {
    ...base,
    resolve: (runId, message) => {
      asked += 1;
      return asked === 1
        ? Promise.reject(new Failure('PROVIDER_AUTH', 'the key is refused'))
        : base.resolve(runId, message);
    },
  };
  await harness.withWorkers(gateway, async () => {
    const handle = await harness.start();
    await reached(handle, 'stuck');
    await handle.signal('resolve', 'done by hand');
    while (asked === 0) await reached(handle, 'stuck');
    await handle.signal('resolve', 'retry');
    expect((await endOf(handle)).type).toBe('RUN_REVERSED');
    expect([...double.living]).toEqual([]);
  });
});

test('a hold over a wider scope holds a run that its word has not reached', async () => {
  const double = new GatewayDouble();
  const base = double.gateway();
  const stopped = { scope: 'provider/stripe', mode: 'hold', reason: 'look', by: 'p_x' } as const;
  let held = true;
  const gateway: Gateway = {
    ...base,
    perform: (runId, step, sender) =>
      held && step === 'start-subscription'
        ? Promise.reject(new Failure('FENCED', 'a stop covers this run'))
        : base.perform(runId, step, sender),
    report: async (runId) => ({ ...(await base.report(runId)), ...(held ? { stopped } : {}) }),
    stopRun: () => Promise.resolve(),
  };
  await harness.withWorkers(gateway, async () => {
    const handle = await harness.start();
    expect((await reached(handle, 'held')).why).toBe('look');
    held = false;
    await handle.signal('resume', 'signed');
    await expect(handle.result()).resolves.toMatchObject({ phase: 'completed' });
  });
});

test('a cause that the record does not bear out is settled by a signed give-up, and a retry asks again', async () => {
  const double = new GatewayDouble();
  double.behaviour['create-customer'] = 'refuse';
  const base = double.gateway();
  const causes: string[] = [];
  const actions = ['retry', 'give-up'] as const;
  let resolved = 0;
  const gateway: Gateway = {
    ...base,
    closeDoor: (runId, cause) => {
      causes.push(cause.kind);
      return cause.kind === 'resolved'
        ? base.closeDoor(runId, cause)
        : Promise.reject(new Failure('NO_CAUSE', 'not on record'));
    },
    resolve: () => {
      const action = actions[resolved] ?? 'give-up';
      resolved += 1;
      return Promise.resolve({ accepted: true, action, by: 'p_x' });
    },
  };
  await harness.withWorkers(gateway, async () => {
    const handle = await harness.start();
    expect((await reached(handle, 'stuck')).waitsFor?.command).toContain('--give-up');
    await handle.signal('resolve', 1);
    while (resolved < 1 || causes.length < 2) await handle.query('state');
    await handle.signal('resolve', 2);
    expect((await endOf(handle)).type).toBe('RUN_REVERSED');
    expect(causes).toEqual(['failure', 'failure', 'resolved']);
  });
});

test('who is not admitted ends denied, and no gateway is asked for anything more', async () => {
  const double = new GatewayDouble();
  const gateway: Gateway = {
    ...double.gateway(),
    admit: () => Promise.reject(new Failure('ADMISSION_REFUSED', 'the request was not admitted')),
  };
  await harness.withWorkers(gateway, async () => {
    const { type, report } = await endOf(await harness.start());
    expect(type).toBe('RUN_DENIED');
    expect(report?.why).toBe('ADMISSION_REFUSED: the request was not admitted');
    expect(double.order).toEqual([]);
  });
});

test('a run that was reset after it ended acts on the record: nothing is done or undone twice', async () => {
  const double = new GatewayDouble();
  double.gateStates.set('register-domain', OPEN);
  await harness.withWorkers(double.gateway(), async () => {
    const handle = await harness.start();
    await reached(handle, 'awaiting-approval');
    await handle.signal(
      'decide',
      decision(handle.workflowId, 'approve', { gate: 'register-domain' }),
    );
    await handle.result();
    const before = [...double.order];
    const again = await reset(handle);
    await expect(again.result()).resolves.toMatchObject({ phase: 'completed' });
    expect(double.order).toEqual(before);
  });
});

test('a run that was reset after it was taken back stays taken back', async () => {
  const double = new GatewayDouble();
  double.behaviour['deploy-site'] = 'refuse';
  await harness.withWorkers(double.gateway(), async () => {
    const handle = await harness.start();
    expect((await endOf(handle)).type).toBe('RUN_REVERSED');
    double.behaviour['deploy-site'] = 'succeed';
    const done = double.order.filter((line) => line.startsWith('do'));
    expect((await endOf(await reset(handle))).type).toBe('RUN_REVERSED');
    expect(double.order.filter((line) => line.startsWith('do'))).toEqual(done);
    expect([...double.living]).toEqual([]);
  });
});

test('a repair takes back what a terminated run has left, and a completed run is left alone', async () => {
  const double = new GatewayDouble();
  double.gateStates.set('register-domain', OPEN);
  await harness.withWorkers(double.gateway(), async () => {
    const handle = await harness.start();
    const { runId } = await reached(handle, 'awaiting-approval');
    await handle.terminate('by an operator');
    expect([...double.living]).not.toEqual([]);
    await expect(repaired(runId)).resolves.toMatchObject({ phase: 'reversed' });
    expect([...double.living]).toEqual([]);
  });
  const completed = new GatewayDouble();
  completed.door = 'completed';
  completed.end = 'completed';
  completed.living.add('deploy-site');
  await harness.withWorkers(completed.gateway(), async () => {
    await expect(repaired('run-done' as RunId)).resolves.toMatchObject({ phase: 'completed' });
    expect([...completed.living]).toEqual(['deploy-site']);
  });
});

const repaired = (runId: RunId): Promise<RunState> =>
  harness.client.workflow.execute('repair', {
    workflowId: `repair/${runId}`,
    taskQueue: TASK_QUEUES.workflows,
    args: [{ runId, status: 'TERMINATED' }],
  });

/** Back to the run's first task: everything is asked again. */
async function reset(handle: WorkflowHandle): Promise<WorkflowHandle> {
  const { client, namespace } = harness;
  const { runId } = await client.workflowService.resetWorkflowExecution({
    namespace,
    workflowExecution: { workflowId: handle.workflowId },
    reason: 'a test',
    requestId: handle.workflowId,
    workflowTaskFinishEventId: 3 as never,
  });
  return client.workflow.getHandle(handle.workflowId, runId);
}
