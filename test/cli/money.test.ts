import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { drawBootstrapCode } from '../../cli/bootstrap-code.js';
import { prepareEmbedded } from '../../cli/prepare.js';
import { newKeyFile } from '../../client/keys.js';
import { databaseNow } from '../../store/clock.js';
import { connect, type Database } from '../../store/connect.js';
import { admitted, approved, openHouse, performedUpTo, type House } from '../gateway/house.js';
import { freshDatabase, type FreshDatabase } from '../helpers/database.js';
import { callCli, type Outcome } from './run-in-process.js';

const PASSPHRASE = 'tide and barnacle 7';
let folder: string;
let house: House;
let database: FreshDatabase;
let db: Database;

const call = (url: string, args: readonly string[], typed?: readonly string[]): Promise<Outcome> =>
  callCli(args, {
    cwd: folder,
    variables: {
      HOME: folder,
      COUNTERSIGN_DATA: path.join(folder, 'data'),
      COUNTERSIGN_DATABASE_URL: url,
    },
    ...(typed === undefined ? {} : { typed }),
  });
const json = async <T>(url: string, args: readonly string[]): Promise<T> => {
  const { err, exitCode, out } = await call(url, [...args, '--json']);
  expect({ err, exitCode }).toEqual({ err: '', exitCode: 0 });
  return JSON.parse(out) as T;
};

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'countersign-money-'));
  mkdirSync(path.join(folder, 'data/secrets'), { recursive: true, mode: 0o700 });
  database = await freshDatabase();
  await prepareEmbedded(
    { ownerUrl: database.url, url: database.applicationUrl },
    path.join(folder, 'data'),
  );
  db = connect(database.url);
  await newKeyFile(path.join(folder, 'ada.json'), PASSPHRASE);
  const code = drawBootstrapCode(path.join(folder, 'data'), (await databaseNow(db)).getTime());
  const enrolled = await call(
    database.url,
    ['keys', 'enrol', 'ada.json', '--name', 'Ada', '--code', code],
    [PASSPHRASE],
  );
  expect(enrolled.exitCode).toBe(0);
  house = await openHouse();
}, 60_000);
afterAll(async () => {
  await house.close();
  await db.destroy();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

interface Ledger {
  readonly balances: readonly {
    readonly scope: string;
    readonly month: string;
    readonly usedMinor: number;
    readonly capMinor: number;
    readonly roomMinor: number;
    readonly standingMinor: number;
  }[];
  readonly alerts: readonly { readonly scope: string; readonly percent: number }[];
  readonly renewals: readonly {
    readonly runId: string;
    readonly amountMinor: number;
    readonly renews: string;
    readonly nextAt: string;
  }[];
}

test('the ledger shows room, alerts and the next renewal at every scope, by month', async () => {
  const runId = await admitted(house, 'launch', { budget: '35.00 USD' });
  await approved(house, runId, 'plan');
  await performedUpTo(house, runId, 'start-subscription');
  const now = await databaseNow(house.db);
  const ledger = await json<Ledger>(house.url, ['ledger']);
  expect(ledger.balances.map(({ scope }) => scope)).toEqual(
    [
      'agent:launch-agent',
      'organisation',
      'principal-provider:pr_owner:cloudflare',
      'principal-provider:pr_owner:stripe',
      'principal:pr_owner',
      'provider:cloudflare',
      'provider:stripe',
      'run:launch',
    ].sort(),
  );
  for (const { capMinor, roomMinor, usedMinor } of ledger.balances)
    expect(roomMinor).toBe(capMinor - usedMinor);
  expect(ledger.alerts.filter(({ scope }) => scope === 'run:launch')).toEqual([
    expect.objectContaining({ percent: 50 }),
    expect.objectContaining({ percent: 80 }),
  ]);
  expect(ledger.renewals).toMatchObject([{ runId, amountMinor: 1_900, renews: 'month' }]);
  const next = new Date(ledger.renewals[0]?.nextAt ?? '');
  const days = (next.getTime() - now.getTime()) / 86_400_000;
  expect(days).toBeGreaterThan(27.9);
  expect(days).toBeLessThan(31.1);
  expect(next.getUTCHours()).toBe(now.getUTCHours());
  const month = next.toISOString().slice(0, 7);
  const later = await json<Ledger>(house.url, ['ledger', '--month', month]);
  expect(later.alerts).toEqual([]);
  expect(later.renewals.map(({ nextAt }) => nextAt)).toEqual([ledger.renewals[0]?.nextAt]);
  const { out } = await call(house.url, ['ledger']);
  expect(out).toMatch(/80 % of run:launch/);
  expect(out).toMatch(/19\.00 USD a month {2}start-subscription of launch/);
});

test('cases are listed with a way out, shown whole, and closed by a signed word', async () => {
  await sql`select open_case('launch-7', null, 'overshoot', 'charged 5 where 4 were reserved')`.execute(
    db,
  );
  const { out } = await call(database.url, ['cases']);
  expect(out).toMatch(
    /#1 overshoot {2}run launch-7\n +charged 5 where 4 were reserved\n +urgent: Compare/,
  );
  expect(out).toMatch(/countersign show launch-7/);
  const { cases } = await json<{ cases: { id: number; proposal: { command: string } }[] }>(
    database.url,
    ['cases', 'list', '--kind', 'overshoot', '--run', 'launch-7'],
  );
  expect(cases).toMatchObject([{ id: 1, proposal: { command: 'countersign show launch-7' } }]);
  expect(await json(database.url, ['cases', 'show', '1'])).toMatchObject({
    id: 1,
    who: expect.any(String),
    closes: expect.any(String),
  });
  const closed = await call(
    database.url,
    ['cases', 'close', '1', '--reason', 'refunded at the provider', '--key', 'ada.json'],
    [PASSPHRASE],
  );
  expect(closed).toMatchObject({ exitCode: 0, out: expect.stringContaining('Closed case 1') });
  expect((await call(database.url, ['cases'])).out).toContain('No open cases');
  expect((await call(database.url, ['cases', '--all'])).out).toMatch(/#1 .*closed/);
  expect((await call(database.url, ['cases', 'show', '1'])).out).toContain(
    'refunded at the provider',
  );
  const again = await call(
    database.url,
    ['cases', 'close', '1', '--reason', 'once more', '--key', 'ada.json'],
    [PASSPHRASE],
  );
  expect(again).toMatchObject({ exitCode: 2, err: expect.stringContaining('was closed by') });
});
