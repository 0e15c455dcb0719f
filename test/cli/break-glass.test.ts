import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { newKeyFile } from '../../client/keys.js';
import type { RunId } from '../../domain/ids.js';
import { admitted, opened, openHouse, perform, type House } from '../gateway/house.js';
import { plantKey } from '../helpers/register.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { callCli, type Outcome } from './run-in-process.js';

const PASSPHRASE = 'tide and barnacle 7';
const REASON = 'the shop is down and nobody else answers';
let folder: string;
let house: House;
let runId: RunId;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-glass-'));
  mkdirSync(path.join(folder, 'data/secrets'), { recursive: true, mode: 0o700 });
  await newKeyFile(path.join(folder, 'bob.json'), PASSPHRASE);
  house = await openHouse(
    trialPolicy({
      override: {
        breakGlass: [
          { person: 'p_bob', maxMinutes: 30, environments: ['development'], steps: ['*'] },
        ],
      },
    }),
  );
  const { keyId, publicKey } = JSON.parse(
    readFileSync(path.join(folder, 'bob.json'), 'utf8'),
  ) as Record<'keyId' | 'publicKey', string>;
  await plantKey(house.db, { person: 'p_bob', keyId, publicKey });
  runId = await admitted(house);
  await opened(house, runId, 'plan');
}, 120_000);
afterAll(async () => {
  await house.close();
  rmSync(folder, { recursive: true, force: true });
});

const call = (args: readonly string[], typed: readonly string[]): Promise<Outcome> =>
  callCli(args, {
    cwd: folder,
    typed,
    variables: {
      HOME: folder,
      COUNTERSIGN_DATA: path.join(folder, 'data'),
      COUNTERSIGN_DATABASE_URL: house.url,
    },
  });
const glass = (typed: readonly string[], minutes = '15'): Promise<Outcome> =>
  call(
    [
      ...['break-glass', 'launch', '--reason', REASON, '--minutes', minutes],
      ...['--key', 'bob.json', '--gate', 'plan', '--print', '--json'],
    ],
    typed,
  );
const signedBy = (out: string): unknown => (JSON.parse(out) as { decision: unknown }).decision;

test('nothing is signed unless the run is typed letter by letter', async () => {
  const done = await glass(['lauch', PASSPHRASE]);
  expect(done).toMatchObject({ exitCode: 2, out: expect.not.stringContaining('signature') });
  expect(done.err).toContain('what was typed is not launch');
});

test('longer than the policy allows it is refused by its reason, and the gate stays open', async () => {
  const { out } = await glass(['launch', PASSPHRASE], '31');
  expect(await house.gateway.recordDecision(runId, signedBy(out), 'signal')).toMatchObject({
    accepted: false,
    reason: 'break-glass-too-long',
    gateState: 'open',
  });
});

test('what the command line signs passes the gate, acts, and is said on the card of the next one', async () => {
  const done = await glass(['launch', PASSPHRASE]);
  expect(done).toMatchObject({ exitCode: 0 });
  expect(done.seen).toContain('You alone would pass this gate, for 15 min.');
  const { command } = JSON.parse(done.out) as { command: string };
  expect(command).toContain('--workflow-id provision/launch --name decide --input');
  expect(await house.gateway.recordDecision(runId, signedBy(done.out), 'signal')).toEqual({
    accepted: true,
    gateState: 'granted',
    approver: 'p_bob',
  });
  for (const step of ['create-customer', 'link-account'] as const)
    expect((await perform(house, runId, step)).step).toBe(step);
  await opened(house, runId, 'register-domain');
  const next = await call(
    ['approve', 'launch', '--gate', 'register-domain', '--key', 'bob.json', '--print'],
    ['superseal.club', PASSPHRASE],
  );
  expect(next.exitCode).toBe(0);
  expect(next.seen.replaceAll(/\s+/g, ' ')).toContain(
    'p_bob passed the gate provision/launch:plan:1 of this run alone, by break-glass.',
  );
});
