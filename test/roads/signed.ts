import { expect } from '@jest/globals';
import type { SigningKey } from '../../client/keys.js';
import { databaseNow } from '../../store/clock.js';
import { stop } from '../../gateway/stop.js';
import { createDoor } from '../../gateway/door.js';
import { signed, type Ground, type Outcome, type Road } from './ground.js';

/** Ways on for stuck runs and liftings of stops that nobody who may has signed, or that were used before. */
export function signedRoads(at: () => Ground): readonly Road[] {
  const now = async (): Promise<string> => (await databaseNow(at().stage.db)).toISOString();
  const refused = (reason: string) => ({
    answer: expect.objectContaining({ accepted: false, reason }) as unknown,
  });
  const statement = async (
    type: 'resolve' | 'resume' | 'decision',
    change: Record<string, unknown>,
  ): Promise<Record<string, unknown>> => ({
    type: `countersign.${type}.v1`,
    instance: at().stage.instance,
    by: 'p_second',
    keyId: at().approver.keyId,
    reason: 'so that it goes on',
    at: await now(),
    ...(type === 'resume'
      ? { scope: 'run/road-waiting' }
      : { runId: 'road-waiting', step: 'create-customer', action: 'give-up' }),
    ...change,
  });
  const send = (
    order: 'resolve' | 'resume',
    message: () => Promise<object>,
    runId = 'road-waiting',
  ) => ({
    go: async (): Promise<Outcome> =>
      at().rogue(
        order === 'resolve' ? 'resolveStep' : 'resumeRun',
        { runId, message: await message() },
        'countersign-compensations',
      ),
  });
  const orders = ['resolve', 'resume'] as const;
  const wrong = (
    what: string,
    reason: string,
    of: { change?: () => Record<string, unknown>; key: () => SigningKey },
  ): Road[] =>
    orders.map((order) => ({
      name: `a ${order} ${what}`,
      ...send(order, async () => signed(await statement(order, of.change?.() ?? {}), of.key())),
      told: refused(reason),
      logged: `${order}: ${reason}`,
    }));
  return [
    ...wrong('signed by a person in no group', 'not-in-group', {
      change: () => ({ by: 'p_nobody', keyId: at().nobody.keyId }),
      key: () => at().nobody,
    }),
    ...wrong('by a key that nobody registered', 'key-unknown', {
      change: () => ({ keyId: at().stranger.keyId }),
      key: () => at().stranger,
    }),
    ...wrong('in the name of somebody else', 'key-not-of-approver', {
      change: () => ({ keyId: at().nobody.keyId }),
      key: () => at().nobody,
    }),
    ...wrong('whose signature is another key’s', 'signature-bad', { key: () => at().stranger }),
    ...wrong('for another installation', 'instance-mismatch', {
      change: () => ({ instance: '0'.repeat(32) }),
      key: () => at().approver,
    }),
    ...wrong('from years to come', 'clock-skew', {
      change: () => ({ at: '2099-01-01T00:00:00.000Z' }),
      key: () => at().approver,
    }),
    ...wrong('that is a decision by its type', 'malformed', {
      change: () => ({ type: 'countersign.decision.v1' }),
      key: () => at().approver,
    }),
    ...orders.map((order) => ({
      name: `a ${order} under the signature of another statement`,
      ...send(order, async () => {
        const other = signed(await statement('decision', {}), at().approver);
        const { signature } = other as { signature: object };
        return { ...(await statement(order, {})), signature };
      }),
      told: refused('signature-bad'),
      logged: `${order}: signature-bad`,
    })),
    {
      name: 'a resolve in the place of a resume',
      ...send('resume', async () => signed(await statement('resolve', {}), at().approver)),
      told: refused('malformed'),
      logged: 'resume: malformed',
    },
    {
      name: 'a resolve of another run',
      ...send('resolve', async () =>
        signed(await statement('resolve', { runId: 'road-completed' }), at().approver),
      ),
      told: refused('run-mismatch'),
      logged: 'resolve: run-mismatch',
    },
    {
      name: 'a resume of everything, sent to one run',
      ...send('resume', async () =>
        signed(await statement('resume', { scope: 'all' }), at().approver),
      ),
      told: refused('nothing-to-lift'),
      logged: 'resume: nothing-to-lift',
    },
    {
      name: 'a resume where nothing was stopped',
      ...send('resume', async () => signed(await statement('resume', {}), at().approver)),
      told: refused('nothing-to-lift'),
      logged: 'resume: nothing-to-lift',
    },
    {
      name: 'a resume that has lifted a stop, sent again over the next one',
      go: async () => {
        const { db } = at().stage;
        const scope = 'run/road-rejected';
        const ask = { scope, reason: 'once more', by: 'a test', proven: false };
        await stop({ db, door: createDoor(db) }, ask);
        const message = signed(await statement('resume', { scope }), at().approver);
        const again = send('resume', () => Promise.resolve(message), 'road-rejected');
        expect(await again.go()).toMatchObject({ answer: { accepted: true } });
        await stop({ db, door: createDoor(db) }, ask);
        return again.go();
      },
      told: refused('still-stopped'),
      logged: 'resume: still-stopped',
    },
  ];
}
