import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { createApp } from './app.js';
import { healthApp } from './health.js';
import type { ServerParts } from './parts.js';
import { Problem, problemResponse } from './problem.js';

export interface RunningServer {
  readonly url: string;
  /** `/healthz`, `/readyz` and `/metrics`, on a port of their own. */
  readonly healthUrl: string;
  close(): Promise<void>;
}

interface Listening {
  readonly url: string;
  close(): Promise<void>;
}

/** Opens both ports; `partsAt` gets the server's own origin, for port 0 is chosen only then. */
export async function startServer(of: {
  readonly host: string;
  readonly port: number;
  readonly healthPort: number;
  readonly partsAt: (origin: string) => ServerParts;
}): Promise<RunningServer> {
  const opened: { app?: Hono } = {};
  const main = await listen(of.host, of.port, (request) => fetchOf(opened.app, request));
  const parts = of.partsAt(main.url);
  opened.app = createApp(parts);
  try {
    const probes = healthApp(parts);
    const health = await listen(of.host, of.healthPort, (request) => fetchOf(probes, request));
    return {
      url: main.url,
      healthUrl: health.url,
      close: async () => {
        await Promise.all([main.close(), health.close()]);
      },
    };
  } catch (error) {
    await main.close();
    throw error;
  }
}

const fetchOf = (app: Hono | undefined, request: Request): Response | Promise<Response> =>
  app?.fetch(request) ?? problemResponse(new Problem(503, 'starting', 'not ready yet'));

async function listen(
  host: string,
  port: number,
  handle: (request: Request) => Response | Promise<Response>,
): Promise<Listening> {
  const answer = getRequestListener(async (request) => handle(request), {
    overrideGlobalObjects: false,
  });
  const server = createServer((incoming, outgoing) => {
    void answer(incoming, outgoing);
  });
  server.headersTimeout = 10_000;
  server.requestTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}
