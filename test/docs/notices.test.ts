import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, expect, test } from '@jest/globals';
import { parseInstance } from '../../domain/ids.js';
import type { EgressMessage } from '../../gateway/egress.js';
import { noticeMessage } from '../../gateway/notice-message.js';

const EXAMPLE = join(import.meta.dirname, '../../examples/notice-receiver.mjs');
const SECRET = 'a secret of 32 bytes, more or less';
let child: ChildProcess | undefined;
afterEach(async () => {
  if (child === undefined) return;
  child.kill('SIGTERM');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
});

const told = (change: { secret?: string; now?: Date } = {}): EgressMessage =>
  noticeMessage(
    {
      instance: parseInstance('0f1e2d3c4b5a69788796a5b4c3d2e1f0'),
      dedupe: 'stopped:7',
      notice: { kind: 'stopped', at: '2026-11-21T09:00:00.000Z', payload: { scope: 'everything' } },
    },
    { format: 'webhook', secret: SECRET, now: new Date(), ...change },
  );

test('the example that takes notices knows ours from others, and tells each once', async () => {
  child = spawn(process.execPath, [EXAMPLE], {
    env: { PATH: process.env['PATH'], PORT: '0', NOTICE_SECRET: SECRET },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said: string[] = [];
  const lines = createInterface({ input: child.stdout! });
  lines.on('line', (line) => said.push(line));
  const [first] = (await once(lines, 'line')) as [string];
  const origin = first.replace('listening on ', '');
  const post = async ({ body, headers }: EgressMessage): Promise<number> =>
    (await fetch(origin, { method: 'POST', body, headers })).status;
  const good = told();
  expect(await post({ ...good, body: `${good.body} ` })).toBe(401);
  expect(await post({ ...good, headers: {} })).toBe(401);
  expect(await post(told({ secret: 'another' }))).toBe(401);
  expect(await post(told({ now: new Date(Date.now() - 3_600_000) }))).toBe(401);
  expect([await post(good), await post(good), await post(told())]).toEqual([204, 204, 204]);
  child.kill('SIGTERM');
  await once(child, 'exit');
  expect(said.slice(1)).toEqual(['A stop was set', 'scope: everything', 'countersign status']);
}, 30_000);
