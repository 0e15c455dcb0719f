import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { erasePrincipal } from '../../store/erasure.js';
import { verifyLog } from '../../store/log.js';
import { tables } from '../helpers/dump.js';
import { admitted, approved, claimOf, openHouse, perform, performedUpTo } from './house.js';
import type { House } from './house.js';

const ADDRESS = 'owner@example.com';

let house: House;
beforeEach(async () => {
  house = await openHouse();
});
afterEach(async () => {
  await house.close();
});

const holding = async (words: string): Promise<string[]> =>
  [...(await tables(house.db))].filter(([, text]) => text.includes(words)).map(([name]) => name);

const erase = () => house.db.transaction().execute((tx) => erasePrincipal(tx, 'pr_owner'));

/** What the stub was told of its customer. */
const told = (): unknown =>
  house.stub.things.find(({ params }) => params['step'] === 'create-customer')?.params;

test('an address stands in the register alone, is sent as it stands there, and is erased after the run', async () => {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, 'attach-domain');
  expect(told()).toMatchObject({ email: ADDRESS, name: 'Owner' });
  expect(await holding(ADDRESS)).toEqual(['principals']);

  // A run that may have to be taken back must find what it made.
  expect(await erase()).toEqual({ kind: 'in-use', runIds: [runId] });
  await house.db.updateTable('runs').set({ door: 'completed' }).execute();
  const { salt } = await house.db.selectFrom('principals').select('salt').executeTakeFirstOrThrow();
  expect(await erase()).toEqual({ kind: 'erased' });

  expect(await holding(ADDRESS)).toEqual([]);
  expect(await holding(String(salt))).toEqual([]);
  expect(await erase()).toEqual({ kind: 'unknown' });
  expect(await verifyLog(house.db)).toHaveProperty('entries');
  // Nobody is admitted by an address that is gone, and by id nothing can be planned.
  await expect(house.gateway.admit(claimOf(house, 'again'))).rejects.toMatchObject({
    code: 'ADMISSION_REFUSED',
  });
  await expect(admitted(house, 'by-id', { principal: 'pr_owner' })).rejects.toMatchObject({
    code: 'NEEDS_INPUT',
  });
});

test('another address than the approved one is told to nobody', async () => {
  const runId = await admitted(house);
  await approved(house, runId, 'plan');
  await house.db.updateTable('principals').set({ email: 'mallory@example.com' }).execute();
  await expect(perform(house, runId, 'create-customer')).rejects.toMatchObject({
    code: 'GRANT_VOID',
  });
  expect(told()).toBeUndefined();
  // Planned anew, it is another action, which no approval of the former one covers.
  await house.gateway.plan(runId);
  const planned = await house.db
    .selectFrom('plan_steps')
    .select('digest')
    .where('step', '=', 'create-customer')
    .execute();
  expect(new Set(planned.map(({ digest }) => digest)).size).toBe(2);
  expect(told()).toBeUndefined();
});
