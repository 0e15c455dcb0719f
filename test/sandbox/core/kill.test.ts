import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { SandboxControl } from '../../../sandbox/control-client.js';
import { compileFolders } from '../../../scripts/compile-folders.mjs';
import type { Compiled } from '../../../scripts/compile-folders.mjs';
import {
  cloudflareClient,
  deploy,
  domainWithZone,
  saying,
  until,
  visit,
} from '../cloudflare/stand.js';
import type { Tenant } from '../cloudflare/stand.js';
import { headerOf, stripeClient } from '../stand.js';

/** The whole sandbox as a process of its own: both providers, control and edge. */
const MAIN = `
import { startSandbox } from './sandbox/start.js';
const [dataDir, apiPort, controlPort, edgePort] = process.argv.slice(2);
const running = await startSandbox({
  dataDir, apiPort: Number(apiPort), controlPort: Number(controlPort), edgePort: Number(edgePort),
});
process.stdout.write(JSON.stringify(running) + '\\n');
`;

let compiled: Compiled;
let dataDir: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  compiled = await compileFolders(['sandbox']);
  writeFileSync(join(compiled.folder, 'main.mjs'), MAIN);
  dataDir = mkdtempSync(join(tmpdir(), 'countersign-kill-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.signalCode !== null) continue;
    const left = childrenOf(child.pid);
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    for (const pid of left) process.kill(pid, 'SIGKILL');
  }
});
afterAll(() => {
  compiled.remove();
  rmSync(dataDir, { recursive: true, force: true });
});

interface Started {
  readonly child: ChildProcess;
  readonly apiUrl: string;
  readonly controlUrl: string;
  readonly edgeUrl: string;
  readonly control: SandboxControl;
}

async function start(ports: readonly string[] = ['0', '0', '0']): Promise<Started> {
  const args = [join(compiled.folder, 'main.mjs'), dataDir, ...ports];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const urls = JSON.parse(line) as Omit<Started, 'child' | 'control'> & { controlToken: string };
  return { ...urls, child, control: new SandboxControl(urls) };
}

/**
 * Kills the process alone, as nothing in it can notice, and starts it on the same data and ports. Its workerd
 * outlives it and holds nothing that the restart needs; here we end it ourselves, as the supervisor of `up` does.
 */
async function killed({ child, apiUrl, controlUrl, edgeUrl }: Started): Promise<Started> {
  const left = childrenOf(child.pid);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const again = await start([apiUrl, controlUrl, edgeUrl].map((url) => new URL(url).port));
  for (const pid of left) process.kill(pid, 'SIGKILL');
  return again;
}

const childrenOf = (pid: number | undefined): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);

test('what was answered outlives a kill -9: objects, keys, clock, requests, faults, a site', async () => {
  const first = await start();
  const keys = await first.control.credentials('main');
  const stripe = stripeClient(first.apiUrl, keys.stripe.actions);
  const cf = cloudflareClient(first.apiUrl, keys.cloudflare.actions);
  await first.control.clock('main', 7_200_000);
  const made = await stripe.customers.create({ name: 'kept' }, { idempotencyKey: 'once' });
  const account = (await cf.accounts.create({ name: 'A', unit: { id: 'organization' } })).id;
  const tenant: Tenant = {
    ...{ name: 'main', credentials: keys, cf, account },
    person: (body) => first.control.people('main', body),
  };
  await domainWithZone(tenant, 'kept.club');
  await deploy(tenant, 'site', saying('kept'));
  await cf.workers.domains.update({ account_id: account, hostname: 'kept.club', service: 'site' });
  const rule = { provider: 'stripe', method: 'POST', path: '/v1/refunds', nth: 3 } as const;
  await first.control.faults('main', [{ ...rule, fault: 'refuse' }]);
  await first.control.people('main', { do: 'set-choice', name: 'refunds', value: 'pending' });
  const before = await first.control.truth('main');

  const second = await killed(first);
  expect(await second.control.credentials('main')).toEqual(keys);
  const after = await second.control.truth('main');
  expect(after.living).toEqual(before.living);
  expect(after.charges).toEqual(before.charges);
  expect(after.charges).toMatchObject([{ object: 'kept.club', amountMinor: 1120 }]);
  expect(after.requests).toEqual(before.requests);
  expect(after.now).toBeGreaterThanOrEqual(before.now);
  expect(await second.control.faults('main', [{ ...rule, fault: '409' }])).toMatchObject([
    { fault: 'refuse', nth: 3, seen: 0 },
    { fault: '409' },
  ]);
  expect(after.stripe['choices']).toMatchObject({ refunds: 'pending' });
  const again = stripeClient(second.apiUrl, keys.stripe.actions);
  const replayed = await again.customers.create({ name: 'kept' }, { idempotencyKey: 'once' });
  expect(replayed.id).toBe(made.id);
  expect(headerOf(replayed, 'idempotent-replayed')).toBe('true');
  const site = await visit(second.edgeUrl, 'kept.club');
  expect(site).toMatchObject({ status: 200, body: 'kept' });
});

test('what was under way goes on with the clock, and a call cut off by the kill frees its key', async () => {
  const first = await start();
  const keys = await first.control.credentials('second');
  const cf = cloudflareClient(first.apiUrl, keys.cloudflare.actions);
  const wait = { do: 'set-choice', name: 'registrar.duration-ms', value: 600_000 };
  await first.control.people('second', wait);
  const { id } = await cf.accounts.create({ name: 'A', unit: { id: 'organization' } });
  const begun = await cf.registrar.registrations.create({ account_id: id, domain_name: 'on.club' });
  expect(begun.state).toBe('in_progress');
  await first.control.faults('second', [
    { provider: 'stripe', method: 'POST', path: '/v1/customers', fault: 'hang' },
  ]);
  const create = (apiUrl: string) =>
    stripeClient(apiUrl, keys.stripe.actions).customers.create(
      { name: 'A' },
      { idempotencyKey: 'held' },
    );
  const hanging = create(first.apiUrl).catch((error: unknown) => error);
  await until(
    async () => (await first.control.truth('second')).requests.at(-1)?.fault,
    (fault) => fault === 'hang',
  );

  const second = await killed(first);
  expect(await hanging).toMatchObject({ type: 'StripeConnectionError' });
  await create(second.apiUrl);
  await second.control.clock('second', 600_000);
  const { charges, counts } = await second.control.truth('second');
  expect(charges).toMatchObject([{ object: 'on.club' }]);
  expect(counts['stripe.customers']).toBe(1);
});
