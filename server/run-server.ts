import { pino } from 'pino';
import type { Logger } from 'pino';
import { quoteReaders } from '../activities/quote-readers.js';
import { createClient } from '../client/client.js';
import type { ClientOptions, CountersignClient } from '../client/client.js';
import { foreignRootsError } from '../config/trust.js';
import type { ServerSettings } from '../config/server-settings.js';
import { parseInstance } from '../domain/ids.js';
import type { Trust } from '../domain/trust.js';
import { createDoor } from '../gateway/door.js';
import { createDocumentReader, createEgress } from '../gateway/egress.js';
import { createParts } from '../gateway/create-gateway.js';
import { foreignRoots } from '../gateway/root-pins.js';
import { LIVE_SETTLING } from '../gateway/parts.js';
import { connect } from '../store/connect.js';
import { readInstance } from '../store/migrate.js';
import type { Told } from './parts.js';
import { startServer } from './start-server.js';
import type { RunningServer } from './start-server.js';
import { createVerifier } from './verify-token.js';

export interface ServerSetup {
  readonly settings: ServerSettings;
  readonly databaseUrl: string;
  readonly temporal: ClientOptions;
  readonly trust: Trust;
}

/** Opens the database and both ports. It holds no provider credential and performs no effect. @throws Error for a taken port */
export async function runServer(setup: ServerSetup): Promise<RunningServer> {
  const { settings } = setup;
  const log = pino({ level: 'warn', base: { role: 'server' } });
  const db = connect(setup.databaseUrl, { max: 8 });
  const temporal = temporalWhenNeeded(setup.temporal, log);
  const close = async (): Promise<void> => {
    await temporal.close();
    await db.destroy();
  };
  try {
    const gateway = createParts({
      db,
      door: createDoor(db),
      instance: parseInstance((await readInstance(db)).id),
      operations: [],
      readers: quoteReaders,
      providers: settings.loopback === undefined ? 'live' : 'sandbox',
      credentials: {},
      settling: LIVE_SETTLING,
      egress: createEgress({}),
      trust: setup.trust,
    });
    const foreign = await foreignRoots(db, setup.trust);
    if (foreign.length > 0) throw foreignRootsError(foreign);
    const running = await startServer({
      host: settings.host,
      port: settings.port,
      healthPort: settings.metricsPort,
      partsAt: (origin) => {
        const { port } = new URL(origin);
        const publicUrl = settings.publicUrl ?? `http://localhost:${port}`;
        const audience = settings.audience ?? publicUrl;
        const { loopback } = settings;
        const read = createDocumentReader(loopback === undefined ? {} : { loopback });
        const { cliClientId, issuers, webhook } = settings;
        const verify = createVerifier({ issuers, audience, read });
        const nowMs = Date.now;
        return {
          ...{ gateway, temporal, verify, webhook, publicUrl, audience },
          ...{ issuers, cliClientId, log, nowMs },
        };
      },
    });
    return { ...running, close: () => running.close().then(close) };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Temporal is connected to when a run is first told of something, and anew after a failure: what is recorded waits for nobody. */
function temporalWhenNeeded(
  options: ClientOptions,
  log: Logger,
): Told & { close(): Promise<void> } {
  let opened: Promise<CountersignClient> | undefined;
  const client = (): Promise<CountersignClient> => {
    opened ??= createClient(options).catch((error: unknown) => {
      opened = undefined;
      log.warn('Temporal does not answer; what was recorded stands');
      throw error;
    });
    return opened;
  };
  return {
    startAdmitted: async (of) => (await client()).startAdmitted(of),
    run: (runId) => ({
      decide: async (message) => (await client()).run(runId).decide(message),
      stop: async (order) => (await client()).run(runId).stop(order),
    }),
    close: async () => {
      const held = await opened?.catch(() => undefined);
      await held?.close();
    },
  };
}
