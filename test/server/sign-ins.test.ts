import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { decodeJwt } from 'jose';
import type { RunId } from '../../domain/ids.js';
import { signStatement } from '../../domain/signature.js';
import { databaseNow } from '../../store/clock.js';
import { admitted, opened } from '../gateway/house.js';
import { openGround } from './ground.js';
import type { Ground } from './ground.js';

/** How old a sign-in may be for what stands on it: the token itself is fresh each time. */
let ground: Ground;
let ada: string;
beforeAll(async () => {
  ground = await openGround();
  ada = await ground.personToken('ada');
});
afterAll(() => ground.close());

const MINUTE_S = 60;
/** A fresh token of somebody who signed in that long ago. */
const signedIn = (agoS: number): Promise<string> =>
  ground.forge({ ...decodeJwt(ada), auth_time: Math.floor(Date.now() / 1_000) - agoS });

async function reject(runId: string, token: string) {
  await admitted(ground.house, runId);
  const gate = await opened(ground.house, runId as RunId, 'plan');
  return ground.ask('POST', `/api/v1/runs/${runId}/decisions`, {
    token,
    body: {
      ...{ gateId: gate.gateId, actionDigest: gate.digest },
      ...{ decision: 'reject', reason: 'not now' },
    },
  });
}

test('a reject without a signature needs a sign-in of at most twelve hours', async () => {
  const old = await reject('too-old', await signedIn(12 * 60 * MINUTE_S + 5));
  expect([old.status, old.json['code']]).toEqual([403, 'session-too-old']);
  const gate = await ground.house.db
    .selectFrom('gates')
    .select('state')
    .where('run_id', '=', 'too-old')
    .executeTakeFirstOrThrow();
  expect(gate.state).toBe('open');
  const lately = await reject('lately', await signedIn(11 * 60 * MINUTE_S));
  expect(lately.json).toMatchObject({ gateState: 'rejected' });
  const never = await reject(
    'never',
    await ground.forge({ ...decodeJwt(ada), auth_time: undefined }),
  );
  expect([never.status, never.json['code']]).toEqual([403, 'not-signed-in']);
});

test('a key is brought in a sign-in of at most five minutes', async () => {
  const { ada: person } = ground.house;
  const statement = {
    ...{ type: 'countersign.enrol.v1', instance: ground.house.instance, person: 'p_ada' },
    ...{ keyId: person.keyId, alg: 'ed25519', publicKey: 'AAAA', label: 'a key' },
    nonce: '00112233445566778899aabbccddeeff',
    enrolledAt: (await databaseNow(ground.house.db)).toISOString(),
  };
  const body = { ...statement, signature: signStatement(statement, person.seed) };
  const ask = async (token: string) =>
    (await ground.ask('POST', '/api/v1/keys', { token, body })).json['code'];
  expect(await ask(await signedIn(5 * MINUTE_S + 5))).toBe('session-too-old');
  expect(await ask(await signedIn(4 * MINUTE_S))).toBe('key-unsound');
});
