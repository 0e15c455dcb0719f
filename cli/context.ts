import path from 'node:path';
import type { ClientOptions, CountersignClient } from '../client/client.js';
import { loadServiceKey, serviceKeyFromPem, type ServiceKey } from '../client/service-key.js';
import { readEndpoints, type Endpoints } from '../config/endpoints.js';
import { UnreachableError, UsageError } from '../config/errors.js';
import { loadConfig, type Config } from '../config/load.js';
import { readSecrets } from '../config/secrets.js';
import { trustOf } from '../config/trust.js';
import type { Trust } from '../domain/trust.js';
import { connect, type Database } from '../store/connect.js';
import { sqlState } from '../store/failures.js';
import { readInstance } from '../store/migrate.js';
import type { Io } from './io.js';
import { styleFor, type Style } from './style.js';

/** Options that every verb takes. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly data?: string;
  readonly config?: string;
  readonly server?: string;
  readonly debug?: boolean;
}

/** What one call of the command line works with; connections are opened when first asked for. */
export interface Context {
  readonly io: Io;
  readonly config: Config;
  readonly json: boolean;
  /** For stdout. */
  readonly style: Style;
  /** For stderr. */
  readonly progressStyle: Style;
  /** Where the embedded stack answers. @throws UnreachableError */
  endpoints(): Endpoints;
  databaseUrl(): string;
  /** Connected and migrated. @throws UnreachableError */
  database(): Promise<Database>;
  /** Whose signatures count, as the configuration says. */
  trust(): Trust;
  /** Id of this installation, out of its database. */
  instance(): Promise<string>;
  /** @throws TemporalUnreachable, UnreachableError */
  client(): Promise<CountersignClient>;
  /** One that may start runs. @throws UsageError when there is no service key */
  startingClient(serviceKeyFile?: string): Promise<CountersignClient>;
  /** Prints the result: as one JSON document, or as these lines. */
  print(json: unknown, lines: readonly string[]): void;
  /** One line of progress on stderr. */
  readonly tell: (line: string) => void;
  close(): Promise<void>;
}

/** Opens a client; only the verbs that need Temporal bring one, because its packages are slow to load. */
export type Connect = (options: ClientOptions) => Promise<CountersignClient>;

/** The service under which the command line of an embedded stack asks for runs. */
export const LOCAL_SERVICE = 's_local';

/** @throws UsageError when configuration or environment are wrong */
export function openContext(
  io: Io,
  options: CommonOptions,
  connectTemporal: Connect = withoutTemporal,
): Context {
  const config = loadConfig({ env: io.variables, cwd: io.cwd, args: argsOf(options) });
  const json = options.json === true;
  const opened: { close: () => Promise<void> }[] = [];
  const endpoints = once(() => readEndpoints(config.dataDir));
  const databaseUrl = (): string => config.databaseUrl ?? endpoints().databaseUrl;
  const database = once(async () => {
    const db = await openDatabase(databaseUrl());
    opened.push({ close: () => db.destroy() });
    return db;
  });
  const instance = once(async () => (await readInstance(await database())).id);
  const connectClient = async (serviceKey?: ServiceKey): Promise<CountersignClient> => {
    const client = await connectTemporal({
      ...temporalOptions(config, endpoints),
      ...(serviceKey === undefined ? {} : { serviceKey }),
    });
    opened.push(client);
    return client;
  };
  return {
    io,
    config,
    json,
    style: styleFor({ columns: io.columns, colour: colours(io, io.outIsTerminal) }),
    progressStyle: styleFor({ columns: io.columns, colour: colours(io, io.errIsTerminal) }),
    endpoints,
    databaseUrl,
    trust: () => trustOf(config),
    database,
    instance,
    client: once(() => connectClient()),
    startingClient: async (file) =>
      connectClient(
        file === undefined
          ? serviceKeyFromPem(
              await instance(),
              LOCAL_SERVICE,
              readSecrets(config.dataDir).serviceKey,
            )
          : loadServiceKey(path.resolve(io.cwd, file)),
      ),
    print: (value, lines) => {
      if (json) io.out(`${JSON.stringify(value, null, 2)}\n`);
      else if (lines.length > 0) io.out(`${lines.join('\n')}\n`);
    },
    tell: (line) => {
      io.err(`${line}\n`);
    },
    close: async () => {
      for (const one of opened.reverse()) await one.close();
    },
  };
}

function argsOf(options: CommonOptions): Parameters<typeof loadConfig>[0]['args'] {
  return {
    ...(options.data === undefined ? {} : { data: options.data }),
    ...(options.server === undefined ? {} : { server: options.server }),
    ...(options.config === undefined ? {} : { config: options.config }),
  };
}

function withoutTemporal(): never {
  throw new Error('invariant: a verb that needs Temporal is listed in temporal-verbs.ts');
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

/** Colours for people who want them: https://no-color.org. */
function colours(io: Io, terminal: boolean): boolean {
  const { NO_COLOR: noColour, TERM: term } = io.variables;
  return terminal && (noColour === undefined || noColour === '') && term !== 'dumb';
}

/** Where Temporal answers and as whom, by the configuration or by the stack of the data folder. */
export function temporalOptions({ temporal }: Config, endpoints: () => Endpoints): ClientOptions {
  const own = temporal.address === undefined ? endpoints() : undefined;
  return {
    address: temporal.address ?? own?.temporalAddress ?? '',
    namespace: own?.namespace ?? temporal.namespace,
    ...(temporal.tls === undefined ? {} : { tls: temporal.tls }),
    ...(temporal.apiKey === undefined ? {} : { apiKey: temporal.apiKey }),
  };
}

async function openDatabase(url: string): Promise<Database> {
  const db = connect(url, { max: 4 });
  try {
    await readInstance(db);
    return db;
  } catch (error) {
    await db.destroy();
    throw databaseTrouble(url, error);
  }
}

const AUTHENTICATION = new Set(['28P01', '28000']);

function databaseTrouble(url: string, error: unknown): Error {
  const state = sqlState(error);
  const where = hostOf(url);
  if (state === '42P01' || (error instanceof Error && error.name === 'NoResultError'))
    return new UnreachableError({
      what: 'the control database has no tables of ours yet',
      where,
      remedy: 'Make them with: countersign migrate',
    });
  if (state !== undefined && AUTHENTICATION.has(state))
    return new UnreachableError({
      what: 'the control database refuses this user or password',
      where,
      remedy: 'Correct COUNTERSIGN_DATABASE_URL',
    });
  if (state === '3D000')
    return new UsageError({
      what: 'there is no database of this name',
      where,
      remedy: 'Create it, or correct COUNTERSIGN_DATABASE_URL',
    });
  return new UnreachableError({
    what: `the control database does not answer${state === undefined ? '' : ` (${state})`}`,
    where,
    remedy: 'Start it with: countersign up, or correct COUNTERSIGN_DATABASE_URL',
  });
}

/** Host, port and name; never the password. */
function hostOf(url: string): string {
  try {
    const { host, pathname } = new URL(url);
    return `postgresql://${host}${pathname}`;
  } catch {
    return 'COUNTERSIGN_DATABASE_URL';
  }
}
