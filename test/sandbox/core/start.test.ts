import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SandboxControl } from '../../../sandbox/control-client.js';
import { startSandbox } from '../../../sandbox/start.js';
import type { RunningSandbox } from '../../../sandbox/start.js';
import { stripeClient } from '../stand.js';

let dataDir: string;
let sandbox: RunningSandbox;
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'countersign-start-'));
  sandbox = await startSandbox({ dataDir, worlds: ['second'] });
});
afterAll(async () => {
  await sandbox.close();
  rmSync(dataDir, { recursive: true, force: true });
});

test('one call starts both providers, control, edge and issuer, each on the loopback', async () => {
  for (const url of [sandbox.apiUrl, sandbox.controlUrl, sandbox.edgeUrl, sandbox.issuerUrl]) {
    expect(new URL(url).hostname).toBe('127.0.0.1');
  }
  const control = new SandboxControl(sandbox);
  const health = await control.health();
  expect(health.worlds).toEqual(expect.arrayContaining(['main', 'second']));
  const { stripe, cloudflare } = await control.credentials('main');
  await stripeClient(sandbox.apiUrl, stripe.actions).customers.create({ name: 'A' });
  const accounts = await fetch(`${sandbox.apiUrl}/client/v4/accounts`, {
    headers: { authorization: `Bearer ${cloudflare.reads}`, connection: 'close' },
  });
  expect(accounts.status).toBe(200);
  const truth = await control.truth();
  expect(truth.requests.map(({ provider, role }) => [provider, role])).toEqual([
    ['stripe', 'actions'],
    ['cloudflare', 'reads'],
  ]);
  expect(truth.unknownRoutes).toEqual([]);
});

test('a choice goes to the provider that knows its name', async () => {
  const control = new SandboxControl(sandbox);
  const stripe = { do: 'set-choice', name: 'refunds', value: 'pending' };
  expect(await control.people('second', stripe)).toMatchObject({ name: 'refunds' });
  await control.people('second', { do: 'set-choice', name: 'accounts.new-billing', value: 'no' });
  await expect(
    control.people('second', { do: 'set-choice', name: 'nobody-knows', value: 'x' }),
  ).rejects.toThrow('sandbox control POST people');
});

test('a port that is taken is said, and nothing is left running', async () => {
  const taken = Number(new URL(sandbox.apiUrl).port);
  const other = mkdtempSync(join(tmpdir(), 'countersign-start-'));
  await expect(startSandbox({ dataDir: other, apiPort: taken })).rejects.toThrow(`${taken}`);
  rmSync(other, { recursive: true, force: true });
});
