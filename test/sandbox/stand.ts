import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Stripe from 'stripe';
import { SandboxControl } from '../../sandbox/control-client.js';
import type { WorldCredentials } from '../../sandbox/core/credentials.js';
import { mintCredentials } from '../../sandbox/core/credentials.js';
import { openGround, runProviders } from '../../sandbox/core/run.js';
import type { Worlds } from '../../sandbox/core/world.js';
import { stripeProvider } from '../../sandbox/stripe/provider.js';

/** The Stripe stand-in alone, on free ports over a folder of its own. */
export interface Stand {
  readonly apiUrl: string;
  readonly controlUrl: string;
  readonly control: SandboxControl;
  readonly dataDir: string;
  readonly worlds: Worlds;
  credentials(world: string): WorldCredentials;
  close(): Promise<void>;
}

export const CONTROL_TOKEN = 'a-control-token-for-tests';

export async function startStand(): Promise<Stand> {
  const dataDir = await mkdtemp(join(tmpdir(), 'countersign-sandbox-'));
  const ground = openGround(dataDir);
  const { apiUrl, controlUrl, close } = await runProviders(ground, {
    apiPort: 0,
    controlPort: 0,
    controlToken: CONTROL_TOKEN,
    providers: [stripeProvider()],
  });
  return {
    apiUrl,
    controlUrl,
    dataDir,
    worlds: ground.worlds,
    control: new SandboxControl({ controlUrl, controlToken: CONTROL_TOKEN }),
    credentials: (world) => mintCredentials(ground.secret, world),
    close: async () => {
      await close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** The real SDK as the product uses it: one send, no pooled socket, no retries of its own. */
export function stripeClient(apiUrl: string, key: string, timeoutMs = 20_000): Stripe {
  const { hostname, port } = new URL(apiUrl);
  const sendOnce: typeof fetch = (input, init = {}) =>
    fetch(input, {
      ...init,
      headers: { ...Object.fromEntries(new Headers(init.headers)), connection: 'close' },
    });
  return new Stripe(key, {
    host: hostname,
    port: Number(port),
    protocol: 'http',
    maxNetworkRetries: 0,
    telemetry: false,
    timeout: timeoutMs,
    httpClient: Stripe.createFetchHttpClient(sendOnce),
  });
}

let worlds = 0;
/** A world name that no other test of this process uses. */
export function freshWorld(): string {
  worlds += 1;
  return `w-${process.pid}-${worlds}`;
}

/**
 * A header of an answer. With the fetch client the SDK hands out fetch's own Headers, not an
 * object.
 */
export function headerOf(
  made: { lastResponse: { headers: unknown } },
  name: string,
): string | null {
  const { headers } = made.lastResponse;
  if (!(headers instanceof Headers)) throw new TypeError('the SDK now answers plain headers');
  return headers.get(name);
}
