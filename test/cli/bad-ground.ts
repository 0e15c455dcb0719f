import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { newKeyFile } from '../../client/keys.js';
import { newServiceKeyFile } from '../../client/service-key.js';
import { migrate } from '../../store/migrate.js';
import { freshDatabase, type FreshDatabase } from '../helpers/database.js';

const REQUEST = {
  goal: 'goal: Put the Superseal landing page online',
  principal: 'principal: owner@example.com',
  agent: 'agent: launch-agent',
  environment: 'environment: production',
  subscription: 'subscription: { plan: starter }',
  domain: 'domain: { name: superseal.club, years: 1 }',
  site: 'site: ./site',
  budget: 'budget: 60.00 USD',
};
const WORKER = 'export default { fetch: (request, env) => env.ASSETS.fetch(request) };\n';
const INSTANCE = '0f1e2d3c4b5a69788796a5b4c3d2e1f0';

/** What the rows stand on: files, two databases, and a port that takes connections and says nothing. */
export interface Ground {
  readonly folder: string;
  readonly empty: FreshDatabase;
  readonly migrated: FreshDatabase;
  readonly silentPort: number;
  readonly variables: Readonly<Record<string, string>>;
  leave(): Promise<void>;
}

/** Set by `standOn`; rows are made when their test runs. */
export let ground: Ground;

/** `dataDir`: of a whole stack, which a good request would reach. */
export async function standOn(dataDir: string): Promise<Ground> {
  const folder = mkdtempSync(path.join(tmpdir(), 'countersign-bad-'));
  const [empty, migrated] = await Promise.all([freshDatabase(), freshDatabase()]);
  await migrate(migrated.url, { mode: 'embedded' });
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => sockets.add(socket));
  const silentPort = await new Promise<number>((resolve) => {
    silent.listen(0, '127.0.0.1', () => {
      const address = silent.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
  ground = {
    folder,
    empty,
    migrated,
    silentPort,
    variables: { HOME: folder, COUNTERSIGN_DATA: dataDir },
    leave: async () => {
      for (const socket of sockets) socket.destroy();
      silent.close();
      await Promise.all([empty.drop(), migrated.drop()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  site('site', {});
  await newKeyFile(path.join(folder, 'key.json'), 'correct horse');
  newServiceKeyFile(path.join(folder, 'service.json'), INSTANCE, 's_shop');
  return ground;
}

export function put(name: string, content: string): void {
  const file = path.join(ground.folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, content, { mode: 0o600 });
}

function site(name: string, files: Readonly<Record<string, string>>): void {
  const all = { 'worker.mjs': WORKER, 'public/index.html': '<!doctype html>', ...files };
  for (const [file, content] of Object.entries(all)) put(`${name}/${file}`, content);
}

/** A request file with some lines changed; undefined leaves one out. */
export function request(changes: Readonly<Record<string, string | undefined>>): string[] {
  const members: Readonly<Record<string, string | undefined>> = { ...REQUEST, ...changes };
  const lines = Object.values(members).filter((line) => line !== undefined);
  put('request.yaml', `${lines.join('\n')}\n`);
  return ['provision', 'request.yaml'];
}

/** A request over a site folder that `make` spoils. */
export function spoilt(make: (folder: string) => void): string[] {
  rmSync(path.join(ground.folder, 'spoilt'), { recursive: true, force: true });
  site('spoilt', {});
  make(path.join(ground.folder, 'spoilt'));
  return request({ site: 'site: ./spoilt' });
}

export interface Row {
  readonly args: () => string[];
  readonly exitCode: 2 | 3;
  /** What the message names: the member or file, and the remedy. */
  readonly says: readonly RegExp[];
  readonly variables?: () => Record<string, string>;
}

export const usage = (args: () => string[], ...says: RegExp[]): Row => ({
  args,
  exitCode: 2,
  says,
});
export const unreachable = (
  args: () => string[],
  variables: () => Record<string, string>,
  ...says: RegExp[]
): Row => ({ args, exitCode: 3, says, variables });
