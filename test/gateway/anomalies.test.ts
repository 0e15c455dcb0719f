import { afterEach, expect, test } from '@jest/globals';
import { cardSchema } from '../../domain/documents.js';
import { anomalyRules, type AnomalyKind } from '../../domain/policy/anomaly-rules.js';
import type { Policy } from '../../domain/policy/schema.js';
import type { RunId } from '../../domain/ids.js';
import { anomalyCounts } from '../../store/anomalies.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { admitted, approved, decisionOf, opened, openHouse, type House } from './house.js';

let house: House;
afterEach(async () => {
  await house.close();
});

const rules = (of: {
  readonly gate?: readonly AnomalyKind[];
  readonly stop?: readonly AnomalyKind[];
}): Policy => ({ ...trialPolicy(), anomalies: anomalyRules.parse({ burstRuns: 1, ...of }) });

/** The second run within ten minutes, where one is what is usual. */
async function burst(): Promise<RunId> {
  await admitted(house, 'first');
  return admitted(house, 'second');
}

test('what is unusual is shown on the run and on the card, told once, and hinders nothing by itself', async () => {
  house = await openHouse(rules({}));
  const runId = await burst();
  const text = '2 runs of this agent in 10 minutes';
  const { plan } = await house.gateway.plan(runId);
  expect(plan.anomalies).toEqual([{ kind: 'burst', text }]);
  await house.gateway.plan(runId);
  expect((await house.gateway.report(runId)).anomalies).toEqual([{ kind: 'burst', text }]);
  const gate = await opened(house, runId, 'plan');
  expect(cardSchema.parse(JSON.parse(gate.card)).notes).toContain(`Unusual: ${text}.`);
  const notices = await house.db
    .selectFrom('notices')
    .select('payload')
    .where('kind', '=', 'anomaly')
    .execute();
  expect(notices.map(({ payload }) => payload)).toEqual([
    { agent: 'launch-agent', anomaly: 'burst', text, consequence: 'note' },
  ]);
  expect(await anomalyCounts(house.db)).toEqual([{ kind: 'burst', consequence: 'note', count: 1 }]);
  expect((await approved(house, runId, 'plan')).gateId).toBe(gate.gateId);
});

test('a policy may have a person agree to all of an unusual run', async () => {
  house = await openHouse(rules({ gate: ['burst'] }));
  const runId = await burst();
  const { plan } = await house.gateway.plan(runId);
  const acting = plan.steps.filter(({ kind }) => kind === 'act');
  expect(acting.map(({ tier }) => tier)).not.toContain('autonomous');
  const free = acting.find(({ step }) => step === 'create-customer');
  expect(free).toMatchObject({ gate: 'plan', because: ['anomalies.burst'] });
  const first = await house.gateway.plan('first' as RunId);
  expect(first.plan.steps.find(({ step }) => step === 'create-customer')?.tier).toBe('autonomous');
});

test('a policy may hold an unusual run still: nothing is authorized until a person has resumed it', async () => {
  house = await openHouse(rules({ stop: ['burst'] }));
  const runId = await burst();
  expect(await house.parts.door.fences(runId)).toMatchObject([
    { scope: `run/${runId}`, mode: 'hold', by: 'policy' },
  ]);
  await expect(house.gateway.openGate(runId, 'plan')).rejects.toMatchObject({ code: 'FENCED' });
  expect(await house.parts.door.fences('first' as RunId)).toEqual([]);
  expect(house.stub.requests).toEqual([]);
});

test('an approval in under three seconds is told, and one at three seconds is not', async () => {
  house = await openHouse(rules({}));
  const runId = await admitted(house);
  const gate = await opened(house, runId, 'plan');
  expect(
    await house.gateway.recordDecision(runId, await decisionOf(house, gate, house.ada), 'signal'),
  ).toMatchObject({ accepted: true, gateState: 'granted' });
  const [hasty] = (await house.gateway.report(runId)).anomalies ?? [];
  expect(hasty?.kind).toBe('hasty-decision');

  const slow = await opened(house, await admitted(house, 'slow'), 'plan');
  await house.advance(3_000);
  await house.gateway.recordDecision(
    'slow' as RunId,
    await decisionOf(house, slow, house.ada),
    'signal',
  );
  const kinds = (await house.gateway.report('slow' as RunId)).anomalies ?? [];
  expect(kinds.map(({ kind }) => kind)).not.toContain('hasty-decision');
});

test('where haste needs a person again, the approval ends its gate and the next one asks anew', async () => {
  house = await openHouse(rules({ gate: ['hasty-decision'] }));
  const runId = await admitted(house);
  const gate = await opened(house, runId, 'plan');
  const hasty = await decisionOf(house, gate, house.ada);
  expect(await house.gateway.recordDecision(runId, hasty, 'signal')).toMatchObject({
    gateState: 'void',
  });
  expect(await house.gateway.gateStatus(runId, gate.gateId)).toMatchObject({
    state: 'void',
    reason: expect.stringContaining('read it, and decide again') as unknown,
  });
  const again = await opened(house, runId, 'plan');
  expect(again.revision).toBe(2);
  await house.advance(4_000);
  const slow = await decisionOf(house, again, house.ada);
  expect(await house.gateway.recordDecision(runId, slow, 'signal')).toMatchObject({
    gateState: 'granted',
  });
});

test('where haste stops a run, the run is held and its grant carries nothing', async () => {
  house = await openHouse(rules({ stop: ['hasty-decision'] }));
  const runId = await admitted(house);
  const gate = await opened(house, runId, 'plan');
  await house.gateway.recordDecision(runId, await decisionOf(house, gate, house.ada), 'signal');
  expect(await house.parts.door.fences(runId)).toMatchObject([{ mode: 'hold', by: 'policy' }]);
});
