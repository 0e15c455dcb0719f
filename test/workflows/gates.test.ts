import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { WorkflowUpdateFailedError, type WorkflowHandle } from '@temporalio/client';
import { Failure } from '../../domain/errors.js';
import type { Gateway, GateStatus } from '../../gateway/contract.js';
import type { OpenGate } from '../../domain/plan.js';
import { GatewayDouble } from './double.js';
import { decision, endOf, reached, startHarness, type Harness } from './harness.js';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.close());

const OPEN: GateStatus = { state: 'open', remainingMs: 60_000, missing: 'one approver' };

test('an update alone opens a gate, and answers at once who was counted', async () => {
  const double = new GatewayDouble();
  double.gateStates.set('plan', OPEN);
  await harness.withWorkers(double.gateway(), async () => {
    const handle = await harness.start();
    await reached(handle, 'awaiting-approval');
    const verdict = await handle.executeUpdate('decide', {
      args: [decision(handle.workflowId, 'approve')],
    });
    expect(verdict).toMatchObject({ accepted: true, approver: 'p_x' });
    await expect(handle.result()).resolves.toMatchObject({ phase: 'completed' });
  });
});

test('a break-glass comes by update too, and one that says nothing is refused without a trace', async () => {
  const double = new GatewayDouble();
  double.gateStates.set('plan', OPEN);
  await harness.withWorkers(double.gateway(), async () => {
    const handle = await harness.start();
    await reached(handle, 'awaiting-approval');
    const shared = Object.entries(decision(handle.workflowId, 'approve')).filter(
      ([name]) => name !== 'decision' && name !== 'surface',
    );
    const glass = {
      ...Object.fromEntries(shared),
      type: 'countersign.break-glass.v1',
      runId: handle.workflowId.split('/')[1],
      expiresAt: '2026-01-01T00:30:00.000Z',
      reason: 'the shop is down and nobody else answers',
    };
    await expect(
      handle.executeUpdate('decide', { args: [{ ...glass, reason: 'because' }] }),
    ).rejects.toBeInstanceOf(WorkflowUpdateFailedError);
    expect(await handle.executeUpdate('decide', { args: [glass] })).toMatchObject({
      accepted: true,
    });
    await expect(handle.result()).resolves.toMatchObject({ phase: 'completed' });
  });
});

test('an update of another shape, or for a gate that is not open, is refused without a trace', async () => {
  const double = new GatewayDouble();
  double.gateStates.set('plan', OPEN);
  await harness.withWorkers(double.gateway(), async () => {
    const handle = await harness.start();
    await reached(handle, 'awaiting-approval');
    const before = (await handle.describe()).historyLength;
    const refused = async (message: unknown): Promise<string> => {
      const error: unknown = await handle
        .executeUpdate('decide', { args: [message] })
        .catch((thrown: unknown) => thrown);
      if (!(error instanceof WorkflowUpdateFailedError)) throw new Error('it was not refused');
      return error.cause instanceof Error ? error.cause.message : '';
    };
    expect(await refused('yes')).toMatch(/malformed/);
    expect(await refused({ ...decision(handle.workflowId, 'approve'), more: 1 })).toMatch(
      /malformed/,
    );
    expect(await refused({ long: 'x'.repeat(20_000) })).toMatch(/16 KiB/);
    expect(await refused(decision(handle.workflowId, 'approve', { revision: 2 }))).toMatch(
      /is not open/,
    );
    expect((await handle.describe()).historyLength).toBe(before);
    await handle.signal('decide', decision(handle.workflowId, 'reject'));
    expect((await endOf(handle)).type).toBe('RUN_REJECTED');
  });
});

test('a decision that came before the gate was open is kept until it is', async () => {
  const double = new GatewayDouble();
  double.gateStates.set('plan', OPEN);
  // Signalled before any worker runs: the run has not even been admitted.
  const handle = await harness.start();
  await handle.signal('decide', decision(handle.workflowId, 'approve'));
  await harness.withWorkers(double.gateway(), async () => {
    await expect(handle.result()).resolves.toMatchObject({ phase: 'completed' });
  });
});

test('timer and late approval arrive together after an outage: the record says expired, and so it ends', async () => {
  const double = new GatewayDouble();
  double.gateStates.set('plan', { state: 'open', remainingMs: 1_500, missing: 'one approver' });
  let refused = 0;
  const gateway: Gateway = {
    ...double.gateway(),
    recordDecision: () => {
      refused += 1;
      return Promise.resolve({ accepted: false, reason: 'gate-expired' });
    },
  };
  const handle = await harness.start();
  await harness.withWorkers(gateway, async () => {
    await reached(handle, 'awaiting-approval');
  });
  while (!(await historyOf(handle)).some(({ timerFiredEventAttributes: fired }) => fired != null));
  // Nobody polls any more: the timer has fired, and only then somebody approves.
  double.gateStates.set('plan', { state: 'expired' });
  await handle.signal('decide', decision(handle.workflowId, 'approve'));
  await harness.withWorkers(gateway, async () => {
    expect((await endOf(handle)).type).toBe('RUN_EXPIRED');
    expect(refused).toBe(1);
    expect(double.order).toEqual([]);
  });
});

test('what the record took in time counts, although the workflow heard of it after its timer', async () => {
  const double = new GatewayDouble();
  double.gateStates.set('plan', { state: 'open', remainingMs: 50, missing: 'one approver' });
  const handle = await harness.start();
  let asked = 0;
  const gateway: Gateway = {
    ...double.gateway(),
    // Decided over the database alone: no signal ever comes.
    gateStatus: () => {
      asked += 1;
      return Promise.resolve(
        asked === 1
          ? { state: 'open', remainingMs: 50, missing: 'one approver' }
          : { state: 'granted', approvers: ['p_x'] },
      );
    },
  };
  await harness.withWorkers(gateway, async () => {
    await expect(handle.result()).resolves.toMatchObject({ phase: 'completed' });
  });
});

test('a grant that is void at the effect is asked for again, over a plan made anew', async () => {
  const double = new GatewayDouble();
  const opened: number[] = [];
  let plans = 0;
  let voided = false;
  const base = double.gateway();
  const gateway: Gateway = {
    ...base,
    plan: (runId) => {
      plans += 1;
      return base.plan(runId);
    },
    openGate: (runId, gate) => {
      if (gate !== 'register-domain')
        return Promise.resolve({ gateId: undefined, notNeeded: true });
      const revision = voided ? 2 : 1;
      opened.push(revision);
      return Promise.resolve(gateOf(runId, gate, revision));
    },
    gateStatus: () => Promise.resolve({ state: 'granted', approvers: ['p_x'] }),
    perform: (runId, step, sender) => {
      if (step !== 'register-domain' || voided) return base.perform(runId, step, sender);
      voided = true;
      return Promise.reject(new Failure('GRANT_VOID', 'the price has risen by a cent'));
    },
  };
  await harness.withWorkers(gateway, async () => {
    await expect((await harness.start()).result()).resolves.toMatchObject({ phase: 'completed' });
    expect(opened).toEqual([1, 2]);
    expect(plans).toBe(2);
    expect(double.order.filter((line) => line === 'do create-customer')).toHaveLength(1);
  });
});

test('grants that are void again and again end in an unwinding, not in a loop', async () => {
  const double = new GatewayDouble();
  const base = double.gateway();
  const gateway: Gateway = {
    ...base,
    perform: (runId, step, sender) =>
      step === 'start-subscription'
        ? Promise.reject(new Failure('GRANT_VOID', 'changed again'))
        : base.perform(runId, step, sender),
  };
  await harness.withWorkers(gateway, async () => {
    const { type, report } = await endOf(await harness.start());
    expect(type).toBe('RUN_REVERSED');
    expect(report?.why).toContain('changed again');
    expect([...double.living]).toEqual([]);
  });
});

test('a rejection at a later gate takes back what was done before it', async () => {
  const double = new GatewayDouble();
  double.gateStates.set('register-domain', OPEN);
  await harness.withWorkers(double.gateway(), async () => {
    const handle = await harness.start();
    await reached(handle, 'awaiting-approval');
    expect(double.living.has('start-subscription')).toBe(true);
    await handle.signal(
      'decide',
      decision(handle.workflowId, 'reject', { gate: 'register-domain' }),
    );
    expect((await endOf(handle)).type).toBe('RUN_REVERSED');
    expect([...double.living]).toEqual([]);
    expect(double.order).not.toContain('do register-domain');
  });
});

test('a denied plan ends denied, with the rule named, and nothing was done', async () => {
  const double = new GatewayDouble();
  const base = double.gateway();
  const denials = [{ rule: 'domains.goal', message: 'the goal names another domain' }];
  const gateway: Gateway = {
    ...base,
    plan: async (runId) => {
      const { plan } = await base.plan(runId);
      return { plan: { ...plan, denials }, denials };
    },
  };
  await harness.withWorkers(gateway, async () => {
    const { type, report } = await endOf(await harness.start());
    expect(type).toBe('RUN_DENIED');
    expect(report?.why).toContain('domains.goal');
    expect(double.order).toEqual([]);
  });
});

test.each([
  ['create-customer', 'RUN_DENIED'],
  ['start-subscription', 'RUN_REVERSED'],
] as const)('a cap that has no room left at %s ends %s, not stuck', async (at, expected) => {
  const double = new GatewayDouble();
  const base = double.gateway();
  const failures: string[] = [];
  const gateway: Gateway = {
    ...base,
    perform: (runId, step, sender) =>
      step === at
        ? Promise.reject(new Failure('BUDGET_EXCEEDED', 'the cap has no room left'))
        : base.perform(runId, step, sender),
    recordFailure: (runId, step, code, message) => {
      failures.push(`${step} ${code}`);
      return base.recordFailure(runId, step, code, message);
    },
    // As the door: a denial is borne out by a denied plan alone, a failure by its record.
    closeDoor: (runId, cause) =>
      cause.kind === 'failure' && failures.length > 0
        ? base.closeDoor(runId, cause)
        : Promise.reject(new Failure('NO_CAUSE', 'not on record')),
  };
  await harness.withWorkers(gateway, async () => {
    expect((await endOf(await harness.start())).type).toBe(expected);
    expect(failures).toEqual([`${at} BUDGET_EXCEEDED`]);
    expect([...double.living]).toEqual([]);
  });
});

test('more than 2,000 refused messages hold the run, after 100 they are counted without asking', async () => {
  const double = new GatewayDouble();
  double.gateStates.set('plan', { state: 'open', remainingMs: 600_000, missing: 'one approver' });
  let asked = 0;
  const base = double.gateway();
  const gateway: Gateway = {
    ...base,
    recordDecision: (runId, message, road) => {
      asked += 1;
      return base.recordDecision(runId, message, road);
    },
  };
  await harness.withWorkers(gateway, async () => {
    const handle = await harness.start();
    await reached(handle, 'awaiting-approval');
    for (let sent = 0; sent < 2_100; sent += 50)
      await Promise.all(
        Array.from({ length: 50 }, () => handle.signal('decide', { not: 'a decision' })),
      );
    // The gate looks up when something is recorded: a decision of the right form, for another digest.
    await handle.signal('decide', {
      ...decision(handle.workflowId, 'approve'),
      gateId: `${handle.workflowId}:plan:1`,
    });
    const held = await reached(handle, 'held');
    expect(held.why).toMatch(/refused messages|events/);
    expect(asked).toBeLessThan(1_200);
    await handle.signal('stop', { mode: 'unwind', reason: 'a flood', by: 'p_x' });
    expect((await endOf(handle)).type).toBe('RUN_REVERSED');
  });
});

const historyOf = async (handle: WorkflowHandle) => (await handle.fetchHistory()).events ?? [];

function gateOf(runId: string, gate: string, revision: number): OpenGate {
  return {
    gateId: `provision/${runId}:${gate}:${revision}` as never,
    gate,
    revision,
    digest: `sha256:${'1'.repeat(64)}` as never,
    document: '{}',
    card: '{}',
    expiresInMs: 60_000,
  };
}
