import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Failure } from '../../domain/errors.js';
import type { LayerName } from '../../gateway/door-contract.js';
import { layersOf } from '../../gateway/stop-layers.js';
import { stopBy } from '../../gateway/stop-by.js';
import { stop } from '../../gateway/stop.js';
import type { RunId } from '../../domain/ids.js';
import { sql } from 'kysely';
import { addPrincipal } from '../../store/people.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { without } from '../door/without.js';
import { liftedBySignature } from './ceremony.js';
import { admitted, approved, claimOf, living, openHouse, perform, refusals } from './house.js';
import type { House } from './house.js';

let house: House;
beforeAll(async () => {
  const large = '900.00 USD';
  house = await openHouse(
    trialPolicy({
      override: {
        caps: {
          organisation: large,
          principal: large,
          agent: large,
          provider: large,
          principalProvider: large,
          run: large,
        },
        counts: { operationsPerRun: 20, openRunsPerAgent: 100, runsPerHour: 100 },
      },
    }),
  );
});
afterAll(() => house.close());

const OBEYED = { at: '2026-11-21T00:00:00.000Z', runs: 0, silent: 0 };

async function stopped(off: readonly LayerName[] = [], scope = 'all') {
  const record = await stop(house.parts, {
    scope,
    reason: 'enough',
    by: 'p_ada',
    proven: true,
    off,
  });
  const layers = layersOf(await house.parts.door.layers(scope), record, OBEYED);
  return Object.fromEntries(layers.map(({ layer, confirmedAt }) => [layer, confirmedAt]));
}

async function lifted(scope = 'all') {
  await liftedBySignature(house, scope);
  await house.advance(1_000);
}

/** A run for a customer of its own, at its first payment. */
async function atPayment(name: string): Promise<RunId> {
  const principal = `pr_${name.replaceAll('-', '_')}`;
  await house.db
    .transaction()
    .execute((tx) =>
      addPrincipal(tx, { principalId: principal, name, email: `${name}@example.com` }),
    );
  await house.db
    .updateTable('service_keys')
    .set({ principals: sql`array_append(principals, ${principal}::text)` })
    .where('key_id', '=', house.service.keyId)
    .execute();
  const runId = await admitted(house, name, { principal });
  await approved(house, runId, 'plan');
  for (const step of ['create-customer', 'link-account'] as const)
    await perform(house, runId, step);
  return runId;
}

const failure = async (act: Promise<unknown>): Promise<string> => {
  try {
    await act;
    return 'done';
  } catch (error) {
    return error instanceof Failure ? `${error.code}: ${error.message}` : String(error);
  }
};

test('a stop confirms each layer by when it reads back, and a signed word lifts them all', async () => {
  const runId = await admitted(house, 'layers-lifted');
  await approved(house, runId, 'plan');
  const layers = await stopped();
  expect(layers).toEqual({
    gateway: expect.any(String),
    runtime: expect.any(String),
    identity: expect.any(String),
    payment: expect.any(String),
  });
  expect(await failure(perform(house, runId, 'create-customer'))).toMatch(/^FENCED/);
  expect(await failure(house.gateway.admit(claimOf(house, 'layers-new')))).toMatch(
    /^ADMISSION_REFUSED.*suspended/,
  );
  await lifted();
  expect(await house.parts.door.layers('all')).toBeUndefined();
  expect(await failure(perform(house, runId, 'create-customer'))).toBe('done');
  expect(await failure(house.gateway.admit(claimOf(house, 'layers-new')))).toBe('done');
});

test.each(['gateway', 'identity', 'payment'] as const)(
  'with the layer %s left out it is UNCONFIRMED, and the others hold',
  async (off) => {
    const runId = await atPayment(`layers-without-${off}`);
    const before = living(house).length;
    const layers = await stopped([off]);
    expect(layers[off]).toBeUndefined();
    expect(Object.entries(layers).filter(([, at]) => at === undefined)).toHaveLength(1);
    const paid = await failure(perform(house, runId, 'start-subscription'));
    // Without the fence nothing is done all the same: the agent is suspended.
    expect(paid).toMatch(off === 'gateway' ? /AGENT_SUSPENDED/ : /^FENCED/);
    const begun = await failure(house.gateway.admit(claimOf(house, `layers-begun-${off}`)));
    expect(begun).toMatch(off === 'identity' ? /^done/ : /^ADMISSION_REFUSED.*suspended/);
    expect(living(house)).toHaveLength(before);
    await lifted();
  },
);

test('the budget of zero and the suspended agent hold by themselves, and each is needed', async () => {
  const runId = await atPayment('layers-red');
  const pay = () => failure(perform(house, runId, 'start-subscription'));
  await stopped(['gateway', 'identity']);
  expect(await pay()).toMatch(/^BUDGET_EXCEEDED.*a stop over all leaves no budget/);
  await lifted();
  await stopped(['gateway', 'payment']);
  expect(await pay()).toMatch(/AGENT_SUSPENDED/);
  const begin = () => failure(house.gateway.admit(claimOf(house, 'layers-begun-red')));
  expect(await begin()).toMatch(/^ADMISSION_REFUSED.*suspended/);
  await without(house.db, ['agent-stopped'], async () => {
    expect(await begin()).toBe('done');
  });
  await lifted();
  await stopped(['gateway']);
  await without(house.db, ['agent-stopped', 'budget-zero'], async () => {
    expect(await pay()).toBe('done');
  });
  await lifted();
});

test('who is known stops what is theirs and nothing else', async () => {
  const runId = await admitted(house, 'layers-own');
  const by = (kind: 'agent' | 'person' | 'service', id: string, scope: string) =>
    failure(stopBy(house.parts, { kind, id }, { scope, reason: 'mine' }));
  const before = (await refusals(house)).length;
  expect(await by('agent', 'launch-agent', 'all')).toMatch(/^ADMISSION_REFUSED/);
  expect(await by('agent', 'launch-agent', 'agent/another-agent')).toMatch(/^ADMISSION_REFUSED/);
  expect(await by('agent', 'another-agent', `run/${runId}`)).toMatch(/^ADMISSION_REFUSED/);
  expect(await by('service', 's_other', `run/${runId}`)).toMatch(/^ADMISSION_REFUSED/);
  expect(await by('person', 'p_nobody', 'all')).toMatch(/^ADMISSION_REFUSED/);
  expect((await refusals(house)).slice(before)).toEqual(Array(5).fill('stop: not-theirs'));
  expect(await house.parts.door.layers('all')).toBeUndefined();
  expect(await by('agent', 'launch-agent', `run/${runId}`)).toBe('done');
  expect(await by('service', 's_local', `run/${runId}`)).toBe('done');
  expect(await by('agent', 'launch-agent', 'agent/launch-agent')).toBe('done');
  await lifted('agent/launch-agent');
  expect(await by('person', house.ada.person, 'all')).toBe('done');
  await lifted();
});
