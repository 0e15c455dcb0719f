import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { eventually } from '../../cli/demo/stage.js';
import { readEndpoints } from '../../config/endpoints.js';
import { SandboxControl } from '../../sandbox/control-client.js';
import { ensureBuilt } from '../helpers/build.js';
import { heldIn, secretsOf, type Secrets } from './secrets.js';

/** The secrets of the stack in this folder, read while it runs: the demo takes them with it. */
async function secretsWhileItRuns(folder: string): Promise<Secrets> {
  return eventually(
    'the secrets of the demo',
    async () => {
      try {
        const [name = ''] = readdirSync(folder).filter((one) =>
          one.startsWith('countersign-demo-'),
        );
        const dataDir = path.join(folder, name);
        const { sandbox } = readEndpoints(dataDir);
        const controlToken = readFileSync(sandbox?.controlTokenFile ?? '', 'utf8').trim();
        const control = new SandboxControl({ controlUrl: sandbox?.controlUrl ?? '', controlToken });
        return new Map(await secretsOf(dataDir, control));
      } catch {
        return undefined;
      }
    },
    300_000,
  );
}

test('the demo, as a process of its own, says no secret on either stream', async () => {
  const main = path.join(await ensureBuilt(), 'cli', 'main.js');
  // Short, for a socket's path has a limit.
  const folder = mkdtempSync(path.join(tmpdir(), 'cd-'));
  const child = spawn(process.execPath, [main, 'demo', '--story', 'a'], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  const secrets = new Map(await secretsWhileItRuns(folder));
  secrets.set('e-mail', 'demo-a@example.com');
  const code = await ended;
  rmSync(folder, { recursive: true, force: true });
  expect({ code, said }).toMatchObject({
    code: 0,
    said: expect.stringContaining('as told') as unknown,
  });
  expect(secrets.size).toBeGreaterThan(10);
  expect(heldIn(said, secrets)).toEqual([]);
}, 600_000);
