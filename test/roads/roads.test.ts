import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { WORKFLOWS, TASK_QUEUES } from '../../workflows/messages.js';
import type { Executor } from '../../store/connect.js';
import { verifyLog } from '../../store/log.js';
import { addKey, addServiceKey } from '../../store/people.js';
import { admissionRoads } from './admission.js';
import { backwardRoads } from './backward.js';
import { decisionRoads } from './decision.js';
import { doorRoads } from './door.js';
import { forwardRoads } from './forward.js';
import { newKey, openGround, type Ground } from './ground.js';
import { signedRoads } from './signed.js';

/**
 * Roads to an effect for somebody who holds all of Temporal: may start any workflow, schedule any activity of ours
 * on any queue, and send any signal. None leads anywhere, and each refusal is on record by its reason.
 */
let ground: Ground;
let changesBefore: readonly string[];
beforeAll(async () => {
  ground = await openGround();
  changesBefore = await changes();
}, 600_000);
afterAll(() => ground.close(), 60_000);

/** Every request that changed something at a provider, or tried to. */
async function changes(): Promise<readonly string[]> {
  const { requests } = await ground.stage.truth();
  return requests
    .filter(({ method, path }) => method !== 'GET' && !path.endsWith('/domain-check'))
    .map(({ method, path, seq }) => `${seq} ${method} ${path}`);
}

async function refusalsSince(id: number): Promise<readonly string[]> {
  const rows = await ground.stage.db
    .selectFrom('refusals')
    .select(['asked', 'reason'])
    .where('id', '>', id)
    .orderBy('id')
    .execute();
  return rows.map(({ asked, reason }) => `${asked}: ${reason}`);
}

async function lastRefusal(): Promise<number> {
  const { db } = ground.stage;
  const [last] = await db
    .selectFrom('refusals')
    .select('id')
    .orderBy('id', 'desc')
    .limit(1)
    .execute();
  return last?.id ?? 0;
}

const PERFORMED = {
  ...{ admit: {}, planRun: {}, openGate: {}, recordDecision: {}, completeRun: {} },
  ...{ createCustomer: {}, linkAccount: {}, startSubscription: {}, registerDomain: {} },
  ...{ configureDns: {}, deploySite: {}, attachDomain: {} },
  ...{ tearDownDomain: {}, tearDownSite: {}, tearDownDns: {} },
  ...{ tearDownRegistration: {}, tearDownSubscription: {}, tearDownCustomer: {} },
};
const REVERSED: Readonly<Record<string, object>> = {
  ...{ deleteCustomer: {}, releaseAccount: {}, cancelSubscription: {}, disableAutoRenew: {} },
  ...{ removeDnsRecords: {}, restoreSite: {}, detachDomain: {} },
  closeDoor: { cause: { kind: 'stopped' } },
  finishRun: { end: 'reversed', why: 'so they say' },
  recordFailure: { step: 'deploy-site', code: 'PROVIDER_REFUSED', message: 'so they say' },
  stopRun: { by: 'p_x', reason: 'so they say', mode: 'unwind' },
  resolveStep: { message: {} },
  resumeRun: { message: {} },
};

const at = (): Ground => ground;
const ROADS = [
  ...forwardRoads(at),
  ...admissionRoads(at),
  ...decisionRoads(at),
  ...backwardRoads(at),
  ...signedRoads(at),
  ...doorRoads(at),
];

test.each(ROADS.map((road) => [road.name, road] as const))(
  'leads nowhere: %s',
  async (_name, { go, told, logged }) => {
    const before = await lastRefusal();
    const outcome = await go();
    expect({ outcome, record: await refusalsSince(before) }).toEqual({
      outcome: told,
      record: expect.arrayContaining([logged]),
    });
  },
  120_000,
);

const ALONE = [
  ...Object.keys(PERFORMED).map((name) => [name, 'countersign-actions'] as const),
  ...Object.keys(REVERSED).map((name) => [name, 'countersign-compensations'] as const),
];

test.each(ALONE)(
  'leads nowhere: %s, executed as an activity without a workflow',
  async (name, queue) => {
    const before = await lastRefusal();
    const runId = 'road-completed';
    const outcome = await ground.alone(name, { runId, ...REVERSED[name] }, queue);
    // Servers before 1.30 know no such call; newer ones hand it to our worker, which refuses.
    const refused = outcome.code === 'UNIMPLEMENTED' ? [] : [`${name}: no-workflow`];
    expect(['UNIMPLEMENTED', 'ADMISSION_REFUSED']).toContain(outcome.code);
    expect(await refusalsSince(before)).toEqual(refused);
  },
  120_000,
);

test('leads nowhere: a key of small order, enrolled for a person or for a service', async () => {
  const { keyId, publicKey } = ground.hollow;
  const enrol = (add: (tx: Executor) => Promise<unknown>) =>
    ground.stage.db.transaction().execute(add);
  const refused = {
    code: 'REQUEST_INVALID',
    message: expect.stringContaining('small order') as unknown,
  };
  const key = { keyId, publicKey, personId: 'p_nobody', label: 'hollow', evidence: {} };
  await expect(enrol((tx) => addKey(tx, key))).rejects.toMatchObject(refused);
  const lists = { agents: ['*'], principals: ['*'], environments: ['*'] };
  const service = { keyId, publicKey, service: 's_hollow', ...lists };
  await expect(enrol((tx) => addServiceKey(tx, service))).rejects.toMatchObject(refused);
});

/** The type of failure with which a workflow of ours ended, or what it answered. */
async function run(workflowId: string, claim: object): Promise<unknown> {
  try {
    return await ground.temporal.workflow.execute(WORKFLOWS.provision, {
      workflowId,
      taskQueue: TASK_QUEUES.workflows,
      args: [claim],
    });
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    return error.cause instanceof ApplicationFailure ? error.cause.type : error.cause;
  }
}

test('leads nowhere: our own workflow, started with a request that nobody registered has signed', async () => {
  const before = await lastRefusal();
  const claim = ground.claim('road-started', {}, { ...ground.service, key: newKey() });
  expect(await run('provision/road-started', claim)).toBe('RUN_DENIED');
  expect(await refusalsSince(before)).toContain('admit: key-unknown');
}, 120_000);

test('leads nowhere: a second executor for a completed run acts on what was, never again', async () => {
  const handle = ground.temporal.workflow.getHandle('provision/road-completed');
  const { events } = await handle.fetchHistory();
  const [payload] = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  const claim = JSON.parse(Buffer.from(payload!.data!).toString('utf8')) as object;
  const answer = await run('provision/road-again', claim);
  expect(answer).toMatchObject({ runId: 'road-completed', phase: 'completed' });
}, 120_000);

test('leads nowhere: a completed run, reset to its beginning', async () => {
  const { workflow } = ground.temporal;
  const handle = workflow.getHandle('provision/road-completed');
  const { runId } = await handle.describe();
  const { events } = await handle.fetchHistory();
  const first = events?.find((event) => event.workflowTaskCompletedEventAttributes);
  await workflow.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: 'provision/road-completed', runId },
    reason: 'once more',
    workflowTaskFinishEventId: first!.eventId!,
    requestId: 'road-reset',
  });
  expect(await handle.result()).toMatchObject({ phase: 'completed' });
}, 120_000);

test('leads nowhere: a step that has succeeded, performed again', async () => {
  const answer = await ground.rogue('registerDomain', { runId: 'road-completed' });
  expect(answer).toMatchObject({ answer: { step: 'register-domain', attempt: 1 } });
}, 120_000);

test('all of it changed nothing at any provider, and the log of it holds', async () => {
  expect(await changes()).toEqual(changesBefore);
  const { living, charges } = await ground.stage.truth();
  const forged = /road-(waiting|solo|forged|rejected|expired|started|other|nowhere)/;
  expect(JSON.stringify({ living, charges })).not.toMatch(forged);
  expect(await verifyLog(ground.stage.db)).toEqual({ entries: expect.any(Number) });
  expect(ROADS.length).toBeGreaterThanOrEqual(20);
});
