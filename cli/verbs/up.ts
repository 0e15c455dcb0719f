import { totalmem } from 'node:os';
import { UsageError } from '../../config/errors.js';
import { startStack, type ServiceSpec, type Stack } from '../../embedded/supervisor.js';
import type { StackPorts } from '../../embedded/stack-ports.js';
import { databaseNow } from '../../store/clock.js';
import { connect } from '../../store/connect.js';
import { countPersons } from '../../store/people.js';
import { bootstrapFile, drawBootstrapCode } from '../bootstrap-code.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import { EXIT, type ExitCode } from '../explain.js';
import { prepareEmbedded } from '../prepare.js';
import { fields } from '../style.js';
import { PROGRAMS } from './processes.js';
import { TEMPORAL_VERBS } from '../temporal-verbs.js';

interface UpOptions {
  readonly fresh?: boolean;
}

/** `up`: the embedded stack, until interrupted. */
export const registerUp: Register = (verbs) => {
  verbs
    .add('up', TEMPORAL_VERBS.up, 'countersign up\ncountersign up --data ./scratch --fresh')
    .option('--fresh', 'start with an empty data folder')
    .action(verbs.run(up));
};

async function up(context: Context, options: UpOptions): Promise<ExitCode> {
  if (context.config.mode === 'production')
    throw new UsageError({
      what: '`up` is for one person on one machine, and the configuration says `mode: production`',
      remedy:
        'Run migrate and worker beside your own Temporal and PostgreSQL; see docs/going-live.md',
    });
  const began = performance.now();
  const stack = await startEmbedded(context, options.fresh === true);
  stack.events.on('child', ({ name, kind, detail }) => {
    if (kind !== 'started') context.tell(`${name} ${kind}${detail === '' ? '' : `: ${detail}`}`);
  });
  try {
    const seconds = (performance.now() - began) / 1000;
    context.tell(`Ready after ${seconds.toFixed(1)} s. Ctrl-C stops everything; state is kept.`);
    await announce(context, stack);
    await interrupted(context.io.interrupted);
    context.tell('Stopping …');
    return EXIT.done;
  } finally {
    await stack.stop();
  }
}

/**
 * Starts the stack that `up` and the demo run; migrated, with a policy in force and our own service key known.
 * `made` says which processes: a test that runs from the sources names compiled ones.
 */
export async function startEmbedded(
  context: Context,
  fresh: boolean,
  made: (ports: StackPorts) => ServiceSpec[] = (ports) => [
    ...services(ports).map((one) => calling(one, ports)),
    serving(ports),
  ],
): Promise<Stack> {
  const { config } = context;
  return startStack({
    dataDir: config.dataDir,
    cacheDir: config.cacheDir,
    cwd: config.projectDir,
    childEnv: config.childEnv,
    fresh,
    databaseUrl: config.databaseUrl,
    ownerUrl: config.ownerDatabaseUrl,
    temporalAddress: config.temporal.address,
    namespace: config.temporal.namespace,
    prepare: async ({ ownerUrl, endpoints }) => {
      await prepareEmbedded({ ownerUrl, url: endpoints.databaseUrl }, config.dataDir);
    },
    services: (_endpoints, ports) => made(ports),
    onProgress: context.tell,
  });
}

/** One process for each role is the design; a small machine gets one for all three. */
const SMALL_MACHINE_BYTES = 3 * 1024 ** 3;

export function services(
  ports: StackPorts,
  memoryBytes = totalmem(),
  programs: Pick<typeof PROGRAMS, 'worker' | 'sandbox'> = PROGRAMS,
): ServiceSpec[] {
  const roles =
    memoryBytes < SMALL_MACHINE_BYTES ? ['all'] : ['workflows', 'actions', 'compensations'];
  const file = process.execPath;
  const sandboxPorts = [
    ...['--api-port', String(ports.sandboxApi)],
    ...['--control-port', String(ports.sandboxControl)],
    ...['--edge-port', String(ports.sandboxEdge)],
    ...['--issuer-port', String(ports.sandboxIssuer)],
    ...['--audience', `http://localhost:${ports.server}`],
  ];
  return [
    { name: 'sandbox', file, args: [programs.sandbox, ...sandboxPorts], early: true },
    ...roles.map((role) => ({
      name: role === 'all' ? 'worker' : `worker-${role}`,
      file,
      args: [programs.worker, '--role', role],
    })),
  ];
}

/** The HTTP server of the stack. Nothing of the saga leans on it, so the demo does without. */
export function serving(ports: StackPorts, program: string = PROGRAMS.server): ServiceSpec {
  const args = ['--port', String(ports.server), '--metrics-port', String(ports.serverMetrics)];
  return { name: 'server', file: process.execPath, args: [program, ...args] };
}

/** Where a server runs, the stand-in for Stripe calls out to it. */
export function calling(service: ServiceSpec, ports: StackPorts): ServiceSpec {
  if (service.name !== 'sandbox') return service;
  const url = `http://localhost:${ports.server}/webhooks/stripe`;
  return { ...service, args: [...service.args, '--webhook-url', url] };
}

async function announce(context: Context, stack: Stack): Promise<void> {
  const { endpoints, dataDir } = stack;
  const { style } = context;
  const code = await enrolmentCode(endpoints.databaseUrl, dataDir);
  const onTerminal = context.io.outIsTerminal && !context.json;
  context.print(
    {
      dataDir,
      pid: process.pid,
      databaseUrlFile: `${dataDir}/endpoints.json`,
      temporalAddress: endpoints.temporalAddress,
      temporalUi: endpoints.temporalUi ?? null,
      server: endpoints.serverUrl ?? null,
      sandbox: endpoints.sandbox ?? null,
      enrolmentCodeFile: code === undefined ? null : bootstrapFile(dataDir),
    },
    [
      ...fields(style, [
        ...(endpoints.temporalUi === undefined
          ? []
          : [['Temporal UI', style.accent(endpoints.temporalUi)] as const]),
        ['Temporal', endpoints.temporalAddress],
        ...(endpoints.serverUrl === undefined ? [] : [['server', endpoints.serverUrl] as const]),
        ...(endpoints.sandbox === undefined
          ? []
          : ([
              ['sandbox', endpoints.sandbox.apiUrl],
              ['its control', endpoints.sandbox.controlUrl],
              ['edge', endpoints.sandbox.edgeUrl],
              ['issuer', endpoints.sandbox.issuerUrl],
            ] as const)),
        ['data', `${dataDir} (its addresses and passwords: endpoints.json, only for you)`],
      ]),
      '',
      ...(code === undefined
        ? []
        : enrolmentLines(context, onTerminal ? code : undefined, dataDir)),
      style.dim(
        'All of it listens on this machine only, and is no boundary against other processes of your own user.',
      ),
    ],
  );
}

function enrolmentLines(
  { style }: Context,
  code: string | undefined,
  dataDir: string,
): readonly string[] {
  return [
    code === undefined
      ? `Nobody is enrolled. The code is in ${bootstrapFile(dataDir)}; it is good for 15 minutes and 5 tries:`
      : 'Nobody is enrolled. This code enrols the first person; it is good for 15 minutes and 5 tries:',
    `  countersign keys new my-key.json`,
    `  countersign keys enrol my-key.json --name "Your Name" --code ${style.bold(code ?? 'CODE')}`,
    '',
  ];
}

async function enrolmentCode(url: string, dataDir: string): Promise<string | undefined> {
  const db = connect(url, { max: 1 });
  try {
    if ((await countPersons(db)) > 0) return undefined;
    return drawBootstrapCode(dataDir, (await databaseNow(db)).getTime());
  } finally {
    await db.destroy();
  }
}

function interrupted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => {
      resolve();
    });
  });
}
