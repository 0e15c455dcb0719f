import { createServer } from 'node:net';
import path from 'node:path';
import { readPrivateFile, writePrivateFile } from '../config/private-files.js';
import { freePort } from './ports.js';

export const PORT_NAMES = [
  'postgres',
  'temporal',
  'temporalHttp',
  'temporalMetrics',
  'temporalUi',
  'sandboxApi',
  'sandboxControl',
  'sandboxEdge',
  'sandboxIssuer',
  'server',
  'serverMetrics',
] as const;
export type PortName = (typeof PORT_NAMES)[number];
export type StackPorts = Readonly<Record<PortName, number>>;

/**
 * The ports of a data folder: chosen once and kept, so that clients find a restarted process where it was.
 * One that somebody else has taken meanwhile is replaced.
 */
export async function stackPorts(dataDir: string): Promise<StackPorts> {
  const file = path.join(dataDir, 'ports.json');
  const kept = readKept(file);
  const taken = new Set<number>();
  const choose = async (name: PortName): Promise<number> => {
    const before = kept.get(name);
    const keep = before !== undefined && !taken.has(before) && (await isFree(before));
    let port = keep ? before : await freePort();
    while (taken.has(port)) port = await freePort();
    taken.add(port);
    return port;
  };
  const chosen: [PortName, number][] = [];
  for (const name of PORT_NAMES) chosen.push([name, await choose(name)]);
  writePrivateFile(file, `${JSON.stringify(Object.fromEntries(chosen))}\n`);
  return Object.fromEntries(chosen) as Record<PortName, number>;
}

function readKept(file: string): Map<string, number> {
  try {
    const value: unknown = JSON.parse(readPrivateFile(file) ?? '{}');
    const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
    return new Map(
      entries.filter((entry): entry is [string, number] => Number.isInteger(entry[1])),
    );
  } catch {
    // Ports can be chosen again at any time: a damaged list costs a new set of URLs, nothing else.
    return new Map();
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen(port, '127.0.0.1', () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
