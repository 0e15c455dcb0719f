import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { Validate } from '../cloudflare/versions.js';
import { SANDBOX_HEADER } from '../core/server.js';
import type { Worlds } from '../core/world.js';
import { KEY_HEADER, PROBE_HEADER, TOKEN_HEADER } from './loader-worker.js';
import { Runtime, RuntimeTimeout } from './runtime.js';
import type { Supply } from './runtime.js';
import type { NoSite, Site } from './sites.js';
import { filesOf, loadable, siteFor, versionOfKey } from './sites.js';
import { lookUp, serveFile } from './static-files.js';
import type { EdgeAnswer } from './static-files.js';
import { validation } from './validation.js';

/** Names the world whose sites are meant, where several know the same host. */
export const WORLD_HEADER = 'x-sandbox-world';
const ANSWER_MAX_MS = 30_000;
const BODY_MAX = 100 * 1024 * 1024;

export interface EdgeOptions {
  readonly worlds: Worlds;
  /** On the loopback address; 0 takes a free one. */
  readonly port: number;
}

export interface Edge {
  readonly url: string;
  /** Really starts uploaded code, confined as the sites are. */
  readonly validate: Validate;
  close(): Promise<void>;
}

/**
 * Starts what visitors of the deployed sites reach: by Host, the live version of whatever custom domain
 * answers for it, run by workerd. The port is this process's own, so that a runtime which outlives a kill
 * holds nothing that a restart needs. @throws Error if the port is taken or workerd can't be started.
 */
export async function startEdge({ worlds, port }: EdgeOptions): Promise<Edge> {
  const { pending, over } = validation();
  const supply: Supply = {
    program: (key) => {
      const program = pending.get(key);
      if (program !== undefined) return { program, env: {}, assetsBinding: null };
      const found = versionOfKey(worlds, key);
      return found === undefined ? undefined : loadable(found.world, found.version);
    },
    file: (key, request) => {
      const found = versionOfKey(worlds, key);
      const files = found === undefined ? undefined : filesOf(found.world, found.version);
      return files === undefined ? undefined : serveFile(files.assets, files.bytesOf, request);
    },
  };
  const runtime = new Runtime(supply);
  await runtime.ready();
  const server = createServer((incoming, outgoing) => {
    void visit(worlds, runtime, incoming, outgoing);
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
  } catch (error) {
    await runtime.close();
    throw error;
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    validate: over(runtime),
    close: async () => {
      await new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      });
      await runtime.close();
    },
  };
}

async function visit(
  worlds: Worlds,
  runtime: Runtime,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  outgoing.setHeader(SANDBOX_HEADER, '1');
  try {
    const host = (incoming.headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
    const world = incoming.headers[WORLD_HEADER];
    const site = siteFor(worlds, host, typeof world === 'string' ? world : null);
    if ('status' in site) write(incoming, outgoing, noSite(site));
    else await serve(runtime, site, host, incoming, outgoing);
  } catch (error) {
    const cause = error instanceof RuntimeTimeout ? { status: 503, code: 1102 } : undefined;
    if (cause === undefined) process.stderr.write(`edge: ${String(error)}\n`);
    if (outgoing.headersSent) outgoing.destroy();
    else write(incoming, outgoing, noSite(cause ?? { status: 520, code: 520 }));
  }
}

const noSite = ({ status, code }: NoSite): EdgeAnswer => ({
  status,
  headers: { 'content-type': 'text/plain; charset=UTF-8' },
  body: Buffer.from(`error code: ${code}`),
});

function write(incoming: IncomingMessage, outgoing: ServerResponse, answer: EdgeAnswer): void {
  outgoing.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length });
  outgoing.end(incoming.method === 'HEAD' ? undefined : answer.body);
}

/** Files come first, then the code, unless the site asks for its code first. */
async function serve(
  runtime: Runtime,
  { world, version, key }: Site,
  host: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const { method = 'GET', url = '/' } = incoming;
  const { pathname: path, search } = new URL(url, 'http://edge');
  const files = filesOf(world, version);
  const runsCode = version.mainModule !== null;
  const isRead = method === 'GET' || method === 'HEAD';
  const fileFirst =
    files !== undefined &&
    !files.assets.runWorkerFirst &&
    isRead &&
    lookUp(files.assets, path) !== undefined;
  if (files !== undefined && (fileFirst || !runsCode)) {
    const ifNoneMatch = incoming.headers['if-none-match'] ?? null;
    const request = { method, path, search, ifNoneMatch };
    write(incoming, outgoing, serveFile(files.assets, files.bytesOf, request));
    return;
  }
  if (Number(incoming.headers['content-length'] ?? 0) > BODY_MAX) {
    write(incoming, outgoing, { status: 413, headers: {}, body: new Uint8Array() });
    return;
  }
  const body = await buffer(incoming);
  const headers = { ...passedOn(incoming), host, [KEY_HEADER]: key };
  const answer = await runtime.send({ method, path: url, headers, body }, ANSWER_MAX_MS);
  outgoing.writeHead(answer.statusCode ?? 500, endToEnd(answer));
  await pipeline(answer, outgoing);
}

/** Headers that belong to one connection, or to the edge itself. */
const OWN = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'te',
  'trailer',
  'content-length',
  'host',
  WORLD_HEADER,
  TOKEN_HEADER,
  KEY_HEADER,
  PROBE_HEADER,
]);

function passedOn({ headersDistinct }: IncomingMessage): Record<string, string | string[]> {
  const passed: Record<string, string[]> = {};
  for (const [name, values] of Object.entries(headersDistinct)) {
    if (values !== undefined && !OWN.has(name)) passed[name] = values;
  }
  return passed;
}

function endToEnd({ headersDistinct }: IncomingMessage): Record<string, string[]> {
  const passed: Record<string, string[]> = { [SANDBOX_HEADER]: ['1'] };
  for (const [name, values] of Object.entries(headersDistinct)) {
    const hop = ['connection', 'keep-alive', 'transfer-encoding', SANDBOX_HEADER].includes(name);
    if (values !== undefined && !hop) passed[name] = values;
  }
  return passed;
}
