import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { newKeyFile } from '../../client/keys.js';
import { openHouse, type House } from '../gateway/house.js';
import { plantKey } from '../helpers/register.js';
import { trialPolicy } from '../helpers/trial-policy.js';
import { callCli, type Outcome } from './run-in-process.js';

/** What two persons read who lift a stop together, each at a terminal of their own. */

const PASSPHRASE = 'tide and barnacle 7';
let folder: string;
let house: House;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-lifting-'));
  mkdirSync(path.join(folder, 'data/secrets'), { recursive: true, mode: 0o700 });
  const lifting = { allOf: [{ group: 'approvers', count: 2 }] };
  house = await openHouse(trialPolicy({ override: { lifting } }));
  for (const name of ['ada', 'bob']) {
    const file = path.join(folder, `${name}.json`);
    await newKeyFile(file, PASSPHRASE);
    const key = JSON.parse(readFileSync(file, 'utf8')) as Record<'keyId' | 'publicKey', string>;
    await plantKey(house.db, { ...key, person: `p_${name}` });
  }
}, 120_000);
afterAll(async () => {
  await house.close();
  rmSync(folder, { recursive: true, force: true });
});

const call = (args: readonly string[]): Promise<Outcome> =>
  callCli(args, {
    cwd: folder,
    typed: [PASSPHRASE],
    variables: {
      HOME: folder,
      COUNTERSIGN_DATA: path.join(folder, 'data'),
      COUNTERSIGN_DATABASE_URL: house.url,
    },
  });
const resume = (name: string, flags: readonly string[] = []): Promise<Outcome> =>
  call(['resume', '--all', '--reason', 'looked into', '--key', `${name}.json`, ...flags]);

test('the first word exits 1 and says whose is missing; the second one lifts the stop, with exit 0', async () => {
  await house.parts.door.stop({ scope: 'all', reason: 'x', by: 'p_ada', proven: true });
  const first = await resume('ada');
  expect(first.exitCode).toBe(1);
  expect(first.out.replaceAll(/\s+/g, ' ')).toContain(
    'Your word is on record. The stop over all stands until it is lifted by 1 more of approvers too',
  );
  const again = await resume('ada', ['--json']);
  expect(JSON.parse(again.out)).toEqual({
    scope: 'all',
    lifted: false,
    missing: '1 more of approvers',
  });
  const second = await resume('bob');
  expect(second).toMatchObject({ exitCode: 0, out: expect.stringContaining('Lifted') });
  expect(await house.db.selectFrom('fences').selectAll().execute()).toEqual([]);
});

test('where nothing is stopped there is nothing to say: exit 2', async () => {
  const none = await resume('ada');
  expect(none.exitCode).toBe(2);
  expect(none.err).toContain('no stop is in force over exactly this');
});
