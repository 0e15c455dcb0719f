import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { ensureBuilt } from '../helpers/build.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { admitted, openHouse } from './house.js';
import type { House } from './house.js';
import { startReceiver } from './receiver.js';
import type { Receiver } from './receiver.js';

/** Processes that are really killed, by SIGKILL, between a gate and the place that is to hear of it. */
const RUNNER = fileURLToPath(new URL('./notice-runner.mjs', import.meta.url));
/** How long a claim holds, in ms. */
const LEASE_MS = 30_000;

let house: House;
let receiver: Receiver;
beforeAll(async () => {
  await ensureBuilt();
}, 400_000);
beforeEach(async () => {
  receiver = await startReceiver();
  house = await openHouse(
    trialPolicy({
      override: {
        notices: [
          {
            name: 'ops',
            to: 'https://hooks.example.com/countersign',
            format: 'webhook',
            kinds: ['gate-opened'],
            secret: 'opsKey',
          },
        ],
      },
    }),
  );
}, 120_000);
afterEach(async () => {
  await house.close();
  await receiver.close();
});

interface Ended {
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
}

async function runner(runId: string, place: string): Promise<Ended> {
  const child = spawn(
    process.execPath,
    [RUNNER, house.url, house.instance, receiver.origin, runId, place],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let out = '';
  child.stdout.on('data', (part: Buffer) => (out += part.toString()));
  const [, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { signal, out };
}

test.each([
  ['has committed a gate and sent nothing', 'commit', 1],
  ['has claimed its notice and not sent it', 'before-notice', 1],
  ['has sent its notice and not said so', 'after-notice', 2],
] as const)(
  'when a process is killed that %s, another sends it, under one id',
  async (_what, place, heard) => {
    const runId = await admitted(house);
    expect(await runner(runId, place)).toEqual({ signal: 'SIGKILL', out: '' });
    expect(receiver.got).toHaveLength(heard - 1);
    const gates = await house.db.selectFrom('gates').select('state').execute();
    expect(gates).toEqual([{ state: 'open' }]);
    await house.advance(LEASE_MS);
    const next = await runner('', 'nowhere');
    expect(next).toEqual({ signal: null, out: JSON.stringify({ sent: 1, failed: 0 }) });
    const ids = receiver.got.map(({ headers }) => headers['countersign-notice']);
    expect([ids.length, new Set(ids).size]).toEqual([heard, 1]);
    expect(receiver.got.map(({ body }) => JSON.parse(body) as unknown)).toEqual(
      ids.map((id) => expect.objectContaining({ id, kind: 'gate-opened', runId })),
    );
  },
  120_000,
);
