import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { SandboxControl } from '../../../sandbox/control-client.js';
import { compileFolders } from '../../../scripts/compile-folders.mjs';
import type { Compiled } from '../../../scripts/compile-folders.mjs';
import { CONTROL_TOKEN, headerOf, stripeClient } from '../stand.js';

const MAIN = `
import { openGround, runProviders } from './sandbox/core/run.js';
import { stripeProvider } from './sandbox/stripe/provider.js';
const running = await runProviders(openGround(process.argv[2]), {
  apiPort: 0, controlPort: 0, controlToken: process.argv[3], providers: [stripeProvider()],
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
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  compiled.remove();
  rmSync(dataDir, { recursive: true, force: true });
});

async function startChild(): Promise<{
  child: ChildProcess;
  apiUrl: string;
  control: SandboxControl;
}> {
  const args = [join(compiled.folder, 'main.mjs'), dataDir, CONTROL_TOKEN];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const { apiUrl, controlUrl } = JSON.parse(line) as { apiUrl: string; controlUrl: string };
  return {
    child,
    apiUrl,
    control: new SandboxControl({ controlUrl, controlToken: CONTROL_TOKEN }),
  };
}

test('what was answered outlives a kill -9: objects, keys, clock, requests', async () => {
  const first = await startChild();
  const keys = await first.control.credentials('main');
  const stripe = stripeClient(first.apiUrl, keys.stripe.actions);
  await first.control.clock('main', 7_200_000);
  const made = await stripe.customers.create({ name: 'kept' }, { idempotencyKey: 'once' });
  first.child.kill('SIGKILL');
  await once(first.child, 'exit');

  const second = await startChild();
  expect(await second.control.credentials('main')).toEqual(keys);
  const again = stripeClient(second.apiUrl, keys.stripe.actions);
  const replayed = await again.customers.create({ name: 'kept' }, { idempotencyKey: 'once' });
  expect(replayed.id).toBe(made.id);
  expect(headerOf(replayed, 'idempotent-replayed')).toBe('true');
  const truth = await second.control.truth('main');
  expect(truth.living.map(({ id }) => id)).toEqual([made.id]);
  expect(truth.requests.map(({ path }) => path)).toEqual(['/v1/customers', '/v1/customers']);
  expect(truth.now - Date.now()).toBeGreaterThan(7_100_000);
});
