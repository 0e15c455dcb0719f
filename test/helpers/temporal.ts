import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { childEnvironment, cacheFolder, processVariables } from '../../config/environment.js';
import { freePort } from '../../embedded/ports.js';
import { spawnGroup } from '../../embedded/process-group.js';
import { resolveTemporal } from '../../embedded/temporal-binary.js';
import { temporalCommand, waitForTemporal } from '../../embedded/temporal.js';

export interface TestTemporal {
  /** `127.0.0.1:PORT` of the gRPC service. */
  readonly address: string;
  readonly namespace: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/**
 * A real dev server of its own with the product's flags and search attributes, on free ports; in memory unless
 * `dbFile` is given. Call `stop` in `afterAll`.
 */
export async function startTestTemporal(
  options: { readonly dbFile?: string; readonly port?: number } = {},
): Promise<TestTemporal> {
  const variables = processVariables();
  const env = { HOME: homedir(), ...childEnvironment(variables) };
  const choice = await resolveTemporal({
    address: undefined,
    cacheDir: cacheFolder(variables),
    env,
    onProgress: (line) => process.stderr.write(`${line}\n`),
  });
  if (choice.source === 'address') throw new Error('a server of our own was asked for');
  const [grpc, http, metrics] = await Promise.all([
    options.port ?? freePort(),
    freePort(),
    freePort(),
  ]);
  const namespace = 'default';
  const group = spawnGroup(
    temporalCommand({
      file: choice.file,
      ports: { grpc, http, metrics },
      namespace,
      env,
      cwd: path.resolve(tmpdir()),
      ...(options.dbFile === undefined ? {} : { dbFile: options.dbFile }),
    }),
  );
  group.stdout.resume();
  group.stderr.resume();
  const address = `127.0.0.1:${grpc}`;
  try {
    await waitForTemporal(address, namespace, group.ended);
  } catch (error) {
    await group.end('SIGKILL', 1_000);
    throw error;
  }
  return { address, namespace, pid: group.pid, stop: () => group.end('SIGTERM', 5_000) };
}
