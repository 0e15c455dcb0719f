import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { bundleWorkflowCode } from '@temporalio/worker';
import { writeFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { compileFolders, type Compiled } from '../../scripts/compile-folders.mjs';
import { startTestDatabase, startTestTemporal } from '../helpers/stack.js';

const root = resolve(import.meta.dirname, '../..');
const service = z.object({
  image: z.string(),
  build: z.string().optional(),
  user: z.string().optional(),
  command: z.array(z.string()).default([]),
  entrypoint: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.coerce.string()).default({}),
  volumes: z.array(z.string()).default([]),
  ports: z.array(z.string()).default([]),
  networks: z.array(z.string()).default([]),
  network_mode: z.string().optional(),
  profiles: z.array(z.string()).default([]),
  read_only: z.boolean().default(false),
  init: z.boolean().default(false),
  stop_grace_period: z.string().optional(),
  cap_drop: z.array(z.string()).default([]),
  security_opt: z.array(z.string()).default([]),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
});
type Service = z.infer<typeof service>;
const file = readFileSync(join(root, 'docker-compose.yml'), 'utf8');
const compose = z
  .object({
    services: z.record(z.string(), service),
    networks: z.record(z.string(), z.object({ internal: z.boolean().optional() })),
    volumes: z.record(z.string(), z.unknown()),
  })
  .parse(parse(file, { merge: true }));
const services = Object.entries(compose.services);
const ours = services.filter(([, { build }]) => build !== undefined);
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');

describe('docker-compose.yml', () => {
  test('pins every image to a full version', () => {
    const images = services.map(([, { image }]) => image);
    const from = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image ?? '');
    for (const image of [...images, ...from])
      expect(image).toMatch(/:\d+\.\d+(\.\d+)?(-[a-z-]+)?$/);
  });

  test('publishes on loopback only, and only what has a reason', () => {
    const ports = services.flatMap(([, { ports: published }]) => published);
    expect(ports.length).toBeGreaterThan(0);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    const inside = services.filter(([, { ports: published }]) => published.length === 0);
    for (const [name, { networks, network_mode: mode }] of inside)
      expect([name, mode ?? networks.join()]).toEqual([
        name,
        mode === undefined ? 'inside' : 'service:sandbox',
      ]);
    expect(compose.networks['inside']?.internal).toBe(true);
  });

  test('takes every secret from the environment, and has a default for none', () => {
    const used = file.match(/\$\{[^}]*\}/g) ?? [];
    expect(used.length).toBeGreaterThan(3);
    for (const variable of used) expect(variable).toMatch(/^\$\{[A-Z_]+:\?[^}]+\}$/);
    const named = services.flatMap(([, { environment }]) => Object.entries(environment));
    for (const [name, value] of named.filter(([key]) => /PASSWORD|PWD|SECRET|TOKEN|KEY/.test(key)))
      expect([name, value]).toEqual([name, expect.stringMatching(/^\$\{[A-Z_]+:\?/)]);
  });

  test('leads to files, volumes, networks and services that exist', () => {
    for (const [name, { volumes, depends_on: needs, network_mode: mode, networks }] of services) {
      for (const volume of volumes) {
        const source = volume.split(':')[0] ?? '';
        const known = source.startsWith('./')
          ? existsSync(join(root, source))
          : source in compose.volumes;
        expect([name, source, known]).toEqual([name, source, true]);
      }
      const shared = mode?.replace('service:', '');
      for (const other of [...Object.keys(needs), ...(shared === undefined ? [] : [shared])])
        expect(compose.services).toHaveProperty(other);
      for (const network of networks) expect(compose.networks).toHaveProperty(network);
    }
    for (const [, { entrypoint }] of services)
      for (const path of entrypoint.filter((part) => part.startsWith('/deploy/')))
        expect(existsSync(join(root, path))).toBe(true);
    for (const [, copied] of dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm))
      for (const path of (copied ?? '').split(' '))
        expect([path, existsSync(join(root, path))]).toEqual([path, true]);
  });

  test('restrains our own processes, and gives the one that orders steps no credential', () => {
    for (const [, one] of ours)
      expect(one).toMatchObject({
        user: 'node',
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        init: true,
      });
    for (const [name, { stop_grace_period: grace }] of services)
      expect([name, grace]).toEqual([name, expect.stringMatching(/^[3-9]0s$/)]);
    expect(dockerfile).toMatch(/^USER node$/m);
    const { environment, volumes } = compose.services['worker-workflows'] ?? {};
    expect(Object.keys(environment ?? {})).toEqual([
      'COUNTERSIGN_TEMPORAL_ADDRESS',
      'COUNTERSIGN_TEMPORAL_NAMESPACE',
    ]);
    expect(volumes).toEqual([]);
  });
});

describe('each of our services, as a process', () => {
  const running = new Map<string, ChildProcess>();
  let compiled: Compiled;
  let data: string;
  let database: Awaited<ReturnType<typeof startTestDatabase>>;
  let temporal: Awaited<ReturnType<typeof startTestTemporal>>;

  beforeAll(async () => {
    const folders = 'domain store gateway workflows activities workers client cli sandbox embedded';
    [compiled, database, temporal] = await Promise.all([
      compileFolders([...folders.split(' '), 'config']),
      startTestDatabase(),
      startTestTemporal(),
    ]);
    data = mkdtempSync(join(tmpdir(), 'countersign-compose-'));
    const quiet = (): void => undefined;
    const { code } = await bundleWorkflowCode({
      workflowsPath: join(compiled.folder, 'workflows/index.js'),
      logger: { log: quiet, trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet },
    });
    await writeFile(join(compiled.folder, 'workflow-bundle.js'), code);
  });

  afterAll(async () => {
    for (const child of running.values()) {
      if (child.exitCode !== null) continue;
      const gone = new Promise((done) => child.once('exit', done));
      child.kill('SIGTERM');
      await gone;
    }
    await temporal.stop();
    await database.drop();
    compiled.remove();
    rmSync(data, { recursive: true, force: true });
  });

  /** The environment of the file, with what stands for other containers replaced by what stands in for them. */
  function environmentOf({ environment }: Service): Record<string, string> {
    const given: Readonly<Record<string, string>> = {
      COUNTERSIGN_DATA: data,
      COUNTERSIGN_DATABASE_URL: database.applicationUrl,
      COUNTERSIGN_OWNER_DATABASE_URL: database.url,
      COUNTERSIGN_TEMPORAL_ADDRESS: temporal.address,
      COUNTERSIGN_TEMPORAL_NAMESPACE: temporal.namespace,
    };
    const named = Object.keys(environment).map((name) => [name, given[name] ?? '?'] as const);
    expect(named.filter(([, value]) => value === '?')).toEqual([]);
    return { PATH: process.env['PATH'] ?? '', HOME: data, ...Object.fromEntries(named) };
  }

  function start(one: Service, args: readonly string[]): ChildProcess & { said: string } {
    const child = spawn(process.execPath, [join(compiled.folder, 'cli/main.js'), ...args], {
      env: environmentOf(one),
      cwd: data,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const told = Object.assign(child, { said: '' });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (told.said += chunk.toString()));
    return told;
  }

  const exitOf = (child: ChildProcess): Promise<number | null> =>
    new Promise((done) => child.once('exit', done));

  /** What Docker does: the check again and again, until it passes. */
  async function healthy(name: string, one: Service, child: { said: string }): Promise<void> {
    const [kind, node, main, ...check] = one.healthcheck?.test ?? [];
    expect([kind, node, main]).toEqual(['CMD', 'node', 'dist/cli/main.js']);
    for (let tries = 0; tries < 30; tries += 1) {
      if ((await exitOf(start(one, check))) === 0) return;
      await pause(200);
    }
    throw new Error(`${name} was never healthy: ${child.said}`);
  }

  /** Our services in the order in which Compose would start them. */
  function inOrder(): [string, Service][] {
    const left = ours.filter(([, { profiles }]) => profiles.length === 0);
    const order: [string, Service][] = [];
    while (left.length > 0) {
      const waits = (needs: Service['depends_on']): boolean =>
        left.some(([other]) => other in needs);
      const next = left.findIndex(([, { depends_on: needs }]) => !waits(needs));
      order.push(...left.splice(next, 1));
    }
    return order;
  }

  test('starts with its exact command, in order, and passes its exact health check', async () => {
    const stands = async ([name, one]: [string, Service]): Promise<void> => {
      const child = start(one, one.command);
      running.set(name, child);
      if (one.healthcheck !== undefined) await healthy(name, one, child);
      else expect([name, await exitOf(child), child.said]).toEqual([name, 0, expect.anything()]);
    };
    const needed = inOrder().filter(([name]) => ours.some(([, one]) => name in one.depends_on));
    for (const one of needed) await stands(one);
    await Promise.all(
      inOrder()
        .filter(([name]) => !running.has(name))
        .map(stands),
    );
    expect([...running.values()].filter(({ exitCode }) => exitCode === null)).toHaveLength(4);
    const { cli } = compose.services;
    const status = start(cli as Service, cli?.command ?? []);
    expect([await exitOf(status), status.said]).toEqual([0, expect.stringContaining('version 1')]);
  });

  test('fails its health check once it has gone', async () => {
    const sandbox = compose.services['sandbox'] as Service;
    const child = running.get('sandbox');
    if (child === undefined) throw new Error('the sandbox runs first');
    const gone = exitOf(child);
    child.kill('SIGTERM');
    expect(await gone).toBe(0);
    const check = start(sandbox, sandbox.healthcheck?.test.slice(3) ?? []);
    expect([await exitOf(check), check.said]).toEqual([1, 'the sandbox does not answer\n']);
  });
});
