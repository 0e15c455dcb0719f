import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { claimOf, openHouse, refusals } from './house.js';
import type { House } from './house.js';
import { trialPolicy } from '../helpers/trial-policy.js';

let house: House;
beforeAll(async () => {
  house = await openHouse();
  // Registered, but not on the service key's lists: only the lists keep them out.
  const created_at = new Date();
  await house.db
    .insertInto('agents')
    .values({ agent_id: 'other-agent', owner_person: 'p_bob', created_at })
    .execute();
  await house.db
    .insertInto('principals')
    .values({
      principal_id: 'pr_stranger',
      name: 'Stranger',
      email: 'stranger@example.com',
      created_at,
    })
    .execute();
});
afterAll(async () => {
  await house.close();
});

const runs = async (): Promise<string[]> =>
  (await house.db.selectFrom('runs').select('run_id').orderBy('run_id').execute()).map(
    ({ run_id }) => run_id,
  );

test('a request signed by a registered service key is admitted, once and for ever', async () => {
  const claim = claimOf(house, 'good');
  const first = await house.gateway.admit(claim);
  expect(first).toMatchObject({
    runId: 'good',
    principal: 'pr_owner',
    agent: 'launch-agent',
    door: 'open',
  });
  expect(await house.gateway.admit(claim)).toEqual(first);
  expect(await runs()).toContain('good');
});

test.each([
  ['a key nobody registered', { statement: { keyId: 'A'.repeat(43) } }, 'key-unknown'],
  ['a service that the key is not of', { statement: { service: 's_other' } }, 'key-unknown'],
  ['another key’s signature', { seed: randomBytes(32) }, 'signature-bad'],
  ['another instance', { statement: { instance: '0'.repeat(32) } }, 'instance-mismatch'],
  ['another run', { statement: { runId: 'elsewhere' } }, 'run-mismatch'],
  ['another type', { statement: { type: 'countersign.decision.v1' } }, 'malformed'],
  ['a member too many', { statement: { extra: 'x' } }, 'malformed'],
] as const)(
  '%s is refused, and the refusal says no more than any other',
  async (_what, by, reason) => {
    await expect(house.gateway.admit(claimOf(house, 'bad', {}, by))).rejects.toMatchObject({
      code: 'ADMISSION_REFUSED',
      message: 'the run was not admitted: no registered service key speaks for this request',
    });
    expect((await refusals(house)).at(-1)).toBe(`admit: ${reason}`);
    expect(await runs()).not.toContain('bad');
  },
);

test.each([
  ['an agent that the key does not speak for', { agent: 'other-agent' }, 'agent'],
  ['a principal that the key does not act for', { principal: 'stranger@example.com' }, 'principal'],
  ['an environment that the key may not ask for', { environment: 'staging' }, 'environment'],
])('%s is refused', async (_what, change, reason) => {
  await expect(house.gateway.admit(claimOf(house, 'bad', change))).rejects.toMatchObject({
    code: 'ADMISSION_REFUSED',
  });
  expect((await refusals(house)).at(-1)).toBe(`admit: ${reason}`);
  expect(await runs()).not.toContain('bad');
});

test('one changed character of the request is refused: it is not what was signed', async () => {
  const claim = claimOf(house, 'bad');
  const forged = { ...claim, request: claim.request.replace('superseal.club', 'superseal.com') };
  await expect(house.gateway.admit(forged)).rejects.toMatchObject({ code: 'ADMISSION_REFUSED' });
  expect((await refusals(house)).at(-1)).toBe('admit: digest-mismatch');
});

test('the same run id with another request tells nothing', async () => {
  await house.gateway.admit(claimOf(house, 'taken'));
  await expect(
    house.gateway.admit(claimOf(house, 'taken', { budget: '59.00 USD' })),
  ).rejects.toMatchObject({
    code: 'ADMISSION_REFUSED',
    message: 'the run was not admitted: no registered service key speaks for this request',
  });
  expect((await refusals(house)).at(-1)).toBe('admit: run-id-taken');
});

test('a revoked service key admits nothing more', async () => {
  const other = await openHouse();
  try {
    await other.db
      .updateTable('service_keys')
      .set({ revoked_at: new Date() })
      .where('service_id', '=', 's_local')
      .execute();
    await expect(other.gateway.admit(claimOf(other, 'late'))).rejects.toMatchObject({
      code: 'ADMISSION_REFUSED',
    });
  } finally {
    await other.close();
  }
});

test('an agent without an owner is admitted to nothing', async () => {
  await house.db.updateTable('agents').set({ active: false }).execute();
  await expect(house.gateway.admit(claimOf(house, 'bad'))).rejects.toMatchObject({
    code: 'ADMISSION_REFUSED',
  });
  await house.db.updateTable('agents').set({ active: true }).execute();
});

test.each([
  ['runs an hour', { runsPerHour: 3, openRunsPerAgent: 9 }, 'runs-per-hour'],
  ['open runs of an agent', { runsPerHour: 9, openRunsPerAgent: 3 }, 'open-runs'],
] as const)('the policy’s %s are counted, however many ask at once', async (_what, counts, why) => {
  const policy = trialPolicy();
  const other = await openHouse({ ...policy, counts: { ...policy.counts, ...counts } });
  try {
    const asked = Array.from({ length: 7 }, (_, index) =>
      other.gateway.admit(claimOf(other, `run-${index}`)).then(
        () => 'admitted',
        (error: unknown) => (error as { code: string }).code,
      ),
    );
    const answers = await Promise.all(asked);
    expect(answers.filter((answer) => answer === 'admitted')).toHaveLength(3);
    expect(answers.filter((answer) => answer === 'ADMISSION_REFUSED')).toHaveLength(4);
    expect(await refusals(other)).toEqual(Array(4).fill(`admit: ${why}`));
  } finally {
    await other.close();
  }
});
