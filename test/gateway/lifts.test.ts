import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { canonicalize } from '../../domain/canonical.js';
import type { ResumeMessage } from '../../domain/documents.js';
import type { RunId } from '../../domain/ids.js';
import { liftStop } from '../../gateway/lift-fence.js';
import { orderDigestOf } from '../../gateway/signed.js';
import { revokeKey } from '../../store/revocation.js';
import { plantPerson, plantSeed } from '../helpers/register.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { signedBy } from './ceremony.js';
import { admitted, approved, openHouse, perform, refusals, type House } from './house.js';
import { type Signer, signer } from './people.js';

let house: House;
let runId: RunId;
beforeAll(async () => {
  house = await openHouse(trialPolicy());
  runId = await admitted(house, 'stopped');
  await approved(house, runId, 'plan');
}, 120_000);
afterAll(() => house.close());

const stopped = (scope = 'all') =>
  house.parts.door.stop({ scope, reason: 'x', by: 'p_bob', proven: true, mode: 'hold' });
const resumeOf = async (by: Signer, members: object = {}): Promise<ResumeMessage> =>
  (await signedBy(house, by, 'countersign.resume.v1', {
    scope: 'all',
    ...members,
  })) as ResumeMessage;
/** Lifts as the role of our processes can in SQL: whatever it claims, and no gateway in between. */
async function liftedInSql(scope: string, message?: object): Promise<boolean> {
  const digest =
    message === undefined ? `sha256:${'0'.repeat(64)}` : orderDigestOf(message as ResumeMessage);
  const text = message === undefined ? null : canonicalize(message);
  const { rows } = await sql<{ lifted: boolean }>`
    select door_resume(${scope}, 'p_ada', ${digest}, ${text}) as lifted`.execute(house.parts.db);
  return rows[0]?.lifted === true;
}
const standing = async (): Promise<string[]> =>
  (await house.db.selectFrom('fences').select('scope').execute()).map(({ scope }) => scope);
const refused = { code: 'FENCED' };

test('a stop that the role of our processes lifts in SQL is set anew before anything is sent', async () => {
  await stopped();
  expect(await liftedInSql('all')).toBe(true);
  expect(await standing()).toEqual([]);
  await expect(perform(house, runId, 'create-customer')).rejects.toMatchObject(refused);
  expect(await standing()).toEqual(['all']);
  expect(await refusals(house)).toContain('resume: lift-unsigned');
  expect(house.stub.things).toEqual([]);
});

test.each<[string, () => Promise<[string, object]>]>([
  [
    'whose signature does not stand',
    async () => ['all', { ...(await resumeOf(house.ada)), reason: 'another' }],
  ],
  ['of somebody who is in no group that may', async () => ['all', await resumeOf(await nobody())]],
  ['over another scope', async () => ['all', await resumeOf(house.ada, { scope: 'agent/x' })]],
  ['that is older than the stop', async () => ['all', await resumeOf(house.ada, { at: OLD })]],
  [
    'of another installation',
    async () => ['all', await resumeOf(house.ada, { instance: 'f'.repeat(32) })],
  ],
  [
    'with a key that a writer has made, of nobody',
    async () => ['all', await resumeOf({ ...signer('p_ada') })],
  ],
])('a lift in SQL by a statement %s lifts nothing', async (_, made) => {
  await stopped();
  const [scope, message] = await made();
  expect(await liftedInSql(scope, message)).toBe(true);
  await expect(perform(house, runId, 'create-customer')).rejects.toMatchObject(refused);
  expect(await standing()).toEqual(['all']);
});

test('a plan whose row names another provider hides no lift at the one that is asked', async () => {
  const scope = 'provider/stripe';
  await stopped(scope);
  expect(await liftedInSql(scope, { by: 'a writer' })).toBe(true);
  // Rows of a plan are never changed; whoever owns the tables could.
  const planned = (provider: 'stripe' | 'cloudflare') =>
    house.db.transaction().execute(async (tx) => {
      await sql`set local session_replication_role = replica`.execute(tx);
      await tx
        .updateTable('plan_steps')
        .set({ provider })
        .where('run_id', '=', runId)
        .where('step', '=', 'create-customer')
        .execute();
    });
  await planned('cloudflare');
  await expect(perform(house, runId, 'create-customer')).rejects.toMatchObject(refused);
  expect(await standing()).toContain(scope);
  await planned('stripe');
  const lift = await resumeOf(house.bob, { scope });
  expect(await liftStop(house.parts, lift)).toEqual({ lifted: true });
});

const OLD = '2020-01-01T00:00:00.000Z';
async function nobody(): Promise<Signer> {
  const by = signer('p_nobody');
  await plantPerson(house.db, by.person, []);
  await plantSeed(house.db, by);
  return by;
}

test('a signed lift lets go on, as long as nobody calls its key compromised', async () => {
  await stopped();
  expect(await liftStop(house.parts, await resumeOf(house.bob))).toEqual({ lifted: true });
  const own = `run/${runId}`;
  await stopped(own);
  expect(await liftStop(house.parts, await resumeOf(house.ada, { scope: own }))).toEqual({
    lifted: true,
  });
  await perform(house, runId, 'create-customer');
  await house.db
    .transaction()
    .execute((tx) => revokeKey(tx, { keyId: house.bob.keyId, as: 'compromised', reason: 'lost' }));
  await expect(perform(house, runId, 'link-account')).rejects.toMatchObject(refused);
  expect(await standing()).toEqual(['all']);
});
