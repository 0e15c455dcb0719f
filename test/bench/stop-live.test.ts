import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { LIVE_POLICY, measureStops } from '../../bench/stop-live.js';
import { compileFolders } from '../../scripts/compile-folders.mjs';
import { openHouse, type House } from '../gateway/house.js';

/** The measured stop (bench/), small: what it proves has to hold before its times say anything. */
const RUNS = 20;
const STOPS = 3;
const FOLDERS = [
  ...['activities', 'bench', 'cli', 'client', 'config', 'domain', 'embedded', 'gateway'],
  ...['sandbox', 'store', 'workers', 'workflows', 'test/gateway', 'test/helpers'],
];

let house: House;
let compiled: Awaited<ReturnType<typeof compileFolders>>;
beforeAll(async () => {
  compiled = await compileFolders(FOLDERS);
  house = await openHouse(LIVE_POLICY);
}, 120_000);
afterAll(async () => {
  await house.close();
  compiled.remove();
});

test('twenty live runs are stopped from under four senders: nothing is let through after the commit', async () => {
  const senderFile = `${compiled.folder}/bench/stop-sender.js`;
  const stops = await measureStops(house, { runs: RUNS, stops: STOPS, senderFile });
  expect(stops).toHaveLength(STOPS);
  for (const times of stops) {
    expect(times).toMatchObject({ after: 0, strangers: [] });
    // Something was going on when it came, and all four layers were confirmed.
    expect(times.before).toBeGreaterThan(0);
    expect(Object.keys(times.confirmed).sort()).toEqual([
      'gateway',
      'identity',
      'payment',
      'runtime',
    ]);
    expect(times.drained).toBeGreaterThanOrEqual(times.fenced);
  }
  expect(stops.some(({ onTheWire }) => onTheWire > 0)).toBe(true);
}, 300_000);
