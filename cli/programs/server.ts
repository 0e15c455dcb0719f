import { parseArgs } from 'node:util';
import { readEndpoints } from '../../config/endpoints.js';
import { errorCode, UsageError } from '../../config/errors.js';
import { serverSettings } from '../../config/server-settings.js';
import { trustOf } from '../../config/trust.js';
import { leaveWithSupervisor, reportReady } from '../../embedded/child-side.js';
import { runServer } from '../../server/run-server.js';
import { temporalOptions } from '../context.js';
import { explain } from '../explain.js';
import { programConfig } from '../program-config.js';
import { endWithCaller } from '../run-program.js';

/** The process behind `countersign server`: the HTTP server, until it is told to leave. */
try {
  await main();
} catch (error) {
  const { message, exitCode } = explain(errorCode(error) === 'EADDRINUSE' ? taken(error) : error);
  process.stderr.write(`countersign: ${message}\n`);
  process.exit(exitCode);
}

async function main(): Promise<void> {
  process.umask(0o077);
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      config: { type: 'string' },
      port: { type: 'string' },
      'metrics-port': { type: 'string' },
    },
  });
  const config = programConfig(values);
  const server = await runServer({
    settings: serverSettings(config, {
      ...(values.port === undefined ? {} : { port: Number(values.port) }),
      ...(values['metrics-port'] === undefined
        ? {}
        : { metricsPort: Number(values['metrics-port']) }),
    }),
    databaseUrl: config.databaseUrl ?? readEndpoints(config.dataDir).databaseUrl,
    temporal: temporalOptions(config, () => readEndpoints(config.dataDir)),
    trust: trustOf(config),
  });
  leaveWithSupervisor(() => server.close());
  endWithCaller();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void server.close().then(() => process.exit(0)));
  process.stderr.write(`server: ${server.url}, health and metrics ${server.healthUrl}\n`);
  reportReady();
}

function taken(error: unknown): UsageError {
  const port = error instanceof Error && 'port' in error ? String(error.port) : 'asked for';
  return new UsageError({
    what: `the port ${port} is taken`,
    remedy: 'Name another with --port or --metrics-port; 0 takes a free one',
  });
}
