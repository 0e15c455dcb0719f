import { expect, test } from '@jest/globals';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { toTemporal } from '../../activities/failures.js';
import { createActivities } from '../../activities/index.js';
import { Failure, FAILURES, type FailureCode } from '../../domain/errors.js';
import type { RunId } from '../../domain/ids.js';
import type { Plan } from '../../domain/plan.js';
import type { Gateway, Sender } from '../../gateway/contract.js';
import { GatewayDouble } from '../workflows/double.js';
import { thrownBy } from './answers.js';

const INPUT = { runId: 'run-1' as RunId };

const over = (gateway: Partial<Gateway>, more: { failpoint?: (place: string) => void } = {}) =>
  createActivities({
    gateway: { ...new GatewayDouble().gateway(), ...gateway },
    heartbeatMs: 5,
    ...more,
  });

async function applicationFailure(error: unknown): Promise<ApplicationFailure> {
  const thrown = await thrownBy(() => Promise.reject(toTemporal(error, 'createCustomer')));
  if (!(thrown instanceof ApplicationFailure)) throw new Error(`not converted: ${String(thrown)}`);
  return thrown;
}

test.each(Object.keys(FAILURES) as FailureCode[])(
  '%s crosses as its code, and only the table says whether it is tried again',
  async (code) => {
    const failure = await applicationFailure(new Failure(code, 'what was seen', { step: 's' }));
    expect(failure).toMatchObject({
      type: code,
      nonRetryable: !FAILURES[code].retry,
      details: [{ step: 's' }],
    });
    expect(failure.cause).toBeUndefined();
  },
);

test('a failure that names its moment is tried again then', async () => {
  const failure = await applicationFailure(new Failure('BUSY', 'wait', {}, 1_234.5));
  expect(failure.nextRetryDelay).toBe(1_235);
});

test('what nobody foresaw keeps its words, its cause and its stack to itself', async () => {
  const bug = new TypeError('token sk_live_CANARY of person@example.com', {
    cause: new Error('CANARY'),
  });
  const failure = await applicationFailure(bug);
  expect(failure).toMatchObject({ type: 'UNEXPECTED', nonRetryable: false });
  expect(`${failure.message} ${failure.stack ?? ''} ${JSON.stringify(failure)}`).not.toMatch(
    /CANARY|person@/,
  );
});

test.each(['ECONNREFUSED', '57P01', '08006', '53300', '40001'])(
  'a database that is away (%s) is waited for',
  async (code) => {
    const lost = Object.assign(new Error('postgres://CANARY@db'), { code });
    const failure = await applicationFailure(lost);
    expect(failure).toMatchObject({ type: 'STORE_UNAVAILABLE', nonRetryable: false });
    expect(failure.message).not.toContain('CANARY');
  },
);

test('each attempt sends under a token of its own, and says which attempt it is', async () => {
  const senders: Sender[] = [];
  const { createCustomer } = over({
    perform: (_runId, step, sender) => {
      senders.push(sender);
      return Promise.resolve({ step, object: 'cus_1', spentMinor: 0, attempt: 1 });
    },
  });
  await new MockActivityEnvironment({ attempt: 1 }).run(createCustomer, INPUT);
  await new MockActivityEnvironment({ attempt: 2 }).run(createCustomer, INPUT);
  expect(senders.map(({ attempt }) => attempt)).toEqual([1, 2]);
  expect(senders[0]?.token).not.toBe(senders[1]?.token);
  expect(senders[0]?.token).toMatch(/^[0-9a-f-]{36}$/);
});

test('an activity that waits keeps heartbeating, and stops when it has answered', async () => {
  const env = new MockActivityEnvironment();
  let beats = 0;
  let finish: () => void = () => undefined;
  env.on('heartbeat', () => {
    beats += 1;
    if (beats === 3) finish();
  });
  const { verifySite } = over({
    verify: () =>
      new Promise((resolve) => {
        finish = () => {
          resolve({ step: 'verify-site', outcome: 'verified', spentMinor: 0 });
        };
      }),
  });
  await env.run(verifySite, INPUT);
  expect(beats).toBe(3);
});

test('a wait that a cancellation cuts short is told as cancelled, a failure that stands as itself', async () => {
  const until = (throws: () => Error) =>
    over({
      perform: (_runId, _step, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            reject(throws());
          });
        }),
    }).registerDomain;
  const cancelled = async (throws: () => Error): Promise<unknown> => {
    const env = new MockActivityEnvironment();
    const outcome = thrownBy(() => env.run(until(throws), INPUT));
    env.cancel();
    return outcome;
  };
  expect(await cancelled(() => new Error('aborted'))).toBeInstanceOf(CancelledFailure);
  expect(await cancelled(() => new Failure('OUTCOME_UNKNOWN', 'it was sent'))).toMatchObject({
    type: 'OUTCOME_UNKNOWN',
  });
});

test('a failpoint is told the place, the step and the run, and nothing is there unless a test armed one', async () => {
  const places: string[] = [];
  const perform: Gateway['perform'] = (_runId, step, { failpoint }) => {
    failpoint?.('before-send');
    return Promise.resolve({ step, object: 'o', spentMinor: 0, attempt: 1 });
  };
  const armed = over({ perform }, { failpoint: (place) => places.push(place) });
  await new MockActivityEnvironment().run(armed.deploySite, INPUT);
  await new MockActivityEnvironment().run(over({ perform }).deploySite, INPUT);
  expect(places).toEqual(['before-send@deploy-site@run-1']);
});

test('an activity that no workflow has scheduled asks for nothing but its refusal', async () => {
  const asked: string[] = [];
  const refuse = (_: RunId, activity: string): Promise<never> => {
    asked.push(activity);
    return Promise.reject(new Failure('ADMISSION_REFUSED', 'called without a workflow'));
  };
  const names = Object.keys(over({})) as (keyof ReturnType<typeof over>)[];
  // Any other call of this gateway would be one that does not exist.
  const strict = createActivities({ gateway: { stray: refuse } as unknown as Gateway });
  for (const name of names) {
    const alone = new MockActivityEnvironment({ inWorkflow: false, activityType: name });
    const run = strict[name] as (input: object) => Promise<unknown>;
    await expect(alone.run(run, INPUT)).rejects.toMatchObject({ type: 'ADMISSION_REFUSED' });
  }
  expect(asked).toEqual(names);
});

test('the plan that enters a history names no person and no parameter of an action', async () => {
  const double = new GatewayDouble().gateway();
  const { planRun } = over({
    plan: async (runId) => {
      const { plan } = await double.plan(runId);
      const steps = plan.steps.map((step) => ({
        ...step,
        title: 'for person@example.com',
        action: { params: { email: 'person@example.com' } } as never,
      }));
      return { plan: { ...plan, steps } satisfies Plan, denials: [] };
    },
  });
  const view: unknown = await new MockActivityEnvironment().run(planRun, INPUT);
  expect(JSON.stringify(view)).not.toContain('person@');
  expect(view).toMatchObject({ revision: 1, gates: ['plan', 'register-domain'] });
});
