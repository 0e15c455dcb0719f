import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ROOT } from '../helpers/build.js';
import { reached } from '../helpers/stage.js';
import { found, openScene, type Scene } from './scene.js';

/**
 * The same scan over a stack whose workers have their redaction switched off, by a program that lies in the tests: it
 * finds every secret on every road, so that finding none elsewhere means something.
 */
const FIRST = { runId: 'leak-first', domain: 'green-finch.club' };
const STUCK = { runId: 'leak-stuck', domain: 'black-swift.club' };
const RUNS = [FIRST.runId, STUCK.runId];

let scene: Scene;
let roads: ReadonlyMap<string, string>;
beforeAll(async () => {
  // The one address that a provider gets to quote.
  scene = await openScene([FIRST.runId], path.join(import.meta.dirname, 'leaky-worker.mjs'));
  await scene.echo(
    { provider: 'stripe', method: 'POST', path: '/v1/subscriptions', times: 1_000 },
    { provider: 'stripe', method: 'DELETE', path: '/v1/customers/*', times: 1_000 },
  );
  const stuck = await scene.stage.start(STUCK);
  await scene.approve(stuck, 'plan');
  await reached(stuck, ({ phase }) => phase === 'stuck');
  await scene.echo({ provider: 'stripe', method: 'POST', path: '/v1/customers', times: 1_000 });
  const first = await scene.stage.start(FIRST);
  await scene.approve(first, 'plan');
  await reached(first, ({ phase }) => phase === 'reversed');
  roads = await scene.read(RUNS);
}, 900_000);
afterAll(() => scene.close(), 60_000);

test.each(['history', 'log', 'command line'])(
  'without redaction every secret is found: %s',
  (road) => {
    const all = [...scene.secrets.keys()];
    expect(found(roads, scene.secrets)[road]).toEqual(all);
  },
);

test('without redaction every secret is found: the tables', () => {
  const all = new Set(scene.secrets.keys());
  const held = found(roads, scene.secrets);
  const found_ = Object.entries(held).flatMap(([road, names]) =>
    road.startsWith('table ') && road !== 'table principals' ? names : [],
  );
  expect(new Set(found_)).toEqual(all);
});

test('nothing of the product can switch the redaction off: only the setup of a worker names it', () => {
  const folders = ['activities', 'cli', 'client', 'config', 'embedded', 'gateway', 'workers'];
  const naming = folders.flatMap((folder) =>
    readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .map((file) => path.join(folder, file))
      .filter((file) => file.endsWith('.ts'))
      .filter((file) => /redaction\s*[:?,}]/.test(readFileSync(path.join(ROOT, file), 'utf8'))),
  );
  expect(naming).toEqual(['workers/run-worker.ts']);
});
