import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../../config/errors.js';
import { endpointsFile, readSandboxEndpoints } from '../../config/endpoints.js';
import { readPrivateFile } from '../../config/private-files.js';
import { secretFile } from '../../config/secrets.js';
import { databaseNow } from '../../store/clock.js';
import { countPersons } from '../../store/people.js';
import { SandboxControl } from '../../sandbox/control-client.js';
import { bootstrapFile, drawBootstrapCode } from '../bootstrap-code.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import { EXIT, type ExitCode } from '../explain.js';
import { prepareDatabase, prepareEmbedded } from '../prepare.js';
import { runProgram } from '../run-program.js';

export const ROLES = ['workflows', 'actions', 'compensations', 'all'] as const;
export type Role = (typeof ROLES)[number];

/** Programs of their own: the SDKs that they load would make every other verb slow to start. */
export const PROGRAMS = {
  worker: fileURLToPath(new URL('../programs/worker.js', import.meta.url)),
  sandbox: fileURLToPath(new URL('../programs/sandbox.js', import.meta.url)),
  server: fileURLToPath(new URL('../programs/server.js', import.meta.url)),
} as const;

/** `worker`, `server`, `sandbox`, `migrate`: one process or job each. */
export const registerProcesses: Register = (verbs) => {
  verbs
    .add('worker', 'Runs one worker until interrupted', 'countersign worker --role actions')
    .requiredOption('--role <role>', `what it does: ${ROLES.join(', ')}`)
    .option('--check', 'start nothing: say whether one of this role polls; exit code 1 if not')
    .option('--recover', 'all root keys are lost: take the newly pinned ones, and hold everything')
    .action(
      verbs.run(async (context, { check, recover, role: named }: WorkerOptions) => {
        const role = roleOf(named);
        if (check === true) return checkWorker(context, role);
        if (recover === true) mayRecover(context, role);
        const args = ['--role', role, ...(recover === true ? ['--recover'] : [])];
        return runProgram(context.io, PROGRAMS.worker, args);
      }),
    );
  addServer(verbs);
  verbs
    .add(
      'sandbox',
      'Runs the stand-ins for Stripe and Cloudflare until interrupted',
      'countersign sandbox --data ./sandbox-data --api-port 4010',
    )
    .option('--api-port <port>', 'port of both providers; a free one unless given')
    .option('--control-port <port>', 'port of the control routes')
    .option('--edge-port <port>', 'port that answers for the sites')
    .option('--issuer-port <port>', 'port of the OpenID issuer')
    .option('--audience <url>', 'the server that its tokens are for, unless a client names one')
    .option(
      '--check',
      'start nothing: say whether the one of this folder answers; exit code 1 if not',
    )
    .action(
      verbs.run((context, { check, ...options }: SandboxOptions) => {
        if (check === true) return checkSandbox(context);
        const ports = PORT_OPTIONS.flatMap(([option, flag]) => {
          const value = options[option];
          return typeof value !== 'string' ? [] : [flag, portOf(flag, value)];
        });
        const data = ['--data', context.config.dataDir];
        const audience = audienceOf(options['audience']);
        return runProgram(context.io, PROGRAMS.sandbox, [...data, ...ports, ...audience]);
      }),
    );
  verbs
    .add(
      'migrate',
      'Brings the control database to the newest schema',
      'COUNTERSIGN_DATABASE_URL=postgresql://… countersign migrate',
    )
    .action(
      verbs.run(async (context) => {
        const { mode, dataDir, ownerDatabaseUrl } = context.config;
        const url = context.databaseUrl();
        const urls = { ownerUrl: ownerDatabaseUrl ?? url, url };
        const id =
          mode === 'production'
            ? await prepareDatabase(urls, mode)
            : await prepareEmbedded(urls, dataDir);
        const codeFile = mode === 'production' ? undefined : await enrolmentCodeFile(context);
        context.print({ instance: id, mode, enrolmentCodeFile: codeFile ?? null }, [
          `The schema is up to date. Instance ${id} (${mode}).`,
          ...(codeFile === undefined
            ? []
            : [`Nobody is enrolled. The code is in ${codeFile}; it is good for 15 minutes.`]),
        ]);
        return 0;
      }),
    );
};

interface WorkerOptions {
  readonly role: string;
  readonly check?: boolean;
  readonly recover?: boolean;
}

/** @throws UsageError where no roots are pinned, or this worker does not see the database */
function mayRecover({ config }: Context, role: Role): void {
  if (config.mode === 'production' && role !== 'workflows') return;
  throw new UsageError({
    what:
      role === 'workflows'
        ? '--recover is for a worker that holds the database, and the one for workflows does not'
        : '--recover is for `mode: production`: in the embedded mode no root keys are pinned',
    remedy: 'Start it with --role actions in production, or without --recover',
  });
}

const addServer: Register = (verbs) => {
  verbs
    .add('server', 'Runs the HTTP server until interrupted', 'countersign server --port 8080')
    .option('--port <port>', 'where the API listens; a free one unless given or configured')
    .option('--metrics-port <port>', 'where /metrics, /healthz and /readyz listen')
    .action(
      verbs.run((context, options: ServerOptions) => {
        const ports = [
          ...(options.port === undefined ? [] : ['--port', portOf('--port', options.port)]),
          ...(options.metricsPort === undefined
            ? []
            : ['--metrics-port', portOf('--metrics-port', options.metricsPort)]),
        ];
        const data = ['--data', context.config.dataDir];
        const config = options.config === undefined ? [] : ['--config', options.config];
        return runProgram(context.io, PROGRAMS.server, [...data, ...config, ...ports]);
      }),
    );
};

interface ServerOptions {
  readonly port?: string;
  readonly metricsPort?: string;
  readonly config?: string;
}

interface SandboxOptions {
  readonly [port: string]: string | boolean | undefined;
  readonly check?: boolean;
}

/** Draws a code for the first person, where a data folder was made and nobody is enrolled. */
async function enrolmentCodeFile(context: Context): Promise<string | undefined> {
  const { dataDir } = context.config;
  const db = await context.database();
  if (!existsSync(secretFile(dataDir, 'serviceKey')) || (await countPersons(db)) > 0)
    return undefined;
  drawBootstrapCode(dataDir, (await databaseNow(db)).getTime());
  return bootstrapFile(dataDir);
}

/** For health checks: Temporal answers, and knows a poller of this role. */
async function checkWorker(context: Context, role: Role): Promise<ExitCode> {
  const { pollers } = await (await context.client()).health();
  const polled = Object.entries(pollers).filter(([name]) => role === 'all' || name === role);
  const idle = polled.filter(([, count]) => count === 0).map(([name]) => name);
  context.print({ role, pollers: Object.fromEntries(polled) }, [
    idle.length === 0 ? `${role}: polled` : `nobody polls for ${idle.join(', ')}`,
  ]);
  return idle.length === 0 ? EXIT.done : EXIT.otherwise;
}

/** For health checks: the sandbox of this folder answers, started by itself or by `up`. */
async function checkSandbox(context: Context): Promise<ExitCode> {
  const { controlUrl, controlTokenFile } = whereSandboxAnswers(context);
  const token = readPrivateFile(controlTokenFile)?.trim() ?? '';
  const control = new SandboxControl({ controlUrl, controlToken: token });
  const answers = await control.health().then(
    () => true,
    () => false,
  );
  context.print({ answers }, [answers ? 'the sandbox answers' : 'the sandbox does not answer']);
  return answers ? EXIT.done : EXIT.otherwise;
}

/** @throws UnreachableError when none was started on this folder */
function whereSandboxAnswers(context: Context): ReturnType<typeof readSandboxEndpoints> {
  const { dataDir } = context.config;
  try {
    return readSandboxEndpoints(dataDir);
  } catch (error) {
    const { sandbox } = existsSync(endpointsFile(dataDir)) ? context.endpoints() : {};
    if (sandbox === undefined) throw error;
    return sandbox;
  }
}

const PORT_OPTIONS = [
  ['apiPort', '--api-port'],
  ['controlPort', '--control-port'],
  ['edgePort', '--edge-port'],
  ['issuerPort', '--issuer-port'],
] as const;

function portOf(flag: string, text: string): string {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return text;
  throw new UsageError({
    what: `${flag} ${JSON.stringify(text.slice(0, 40))} is no port`,
    remedy: 'Give a number from 0 (a free one) to 65535',
  });
}

/** @throws UsageError */
function audienceOf(text: string | boolean | undefined): string[] {
  if (typeof text !== 'string') return [];
  if (/^https?:\/\/[^\s#]+$/.test(text)) return ['--audience', text];
  throw new UsageError({
    what: `--audience ${JSON.stringify(text.slice(0, 80))} is no URL of a server`,
    remedy: 'Write it as http://127.0.0.1:PORT or https://HOST',
  });
}

/** @throws UsageError */
export function roleOf(text: string): Role {
  const role = ROLES.find((name) => name === text);
  if (role !== undefined) return role;
  throw new UsageError({
    what: `--role ${JSON.stringify(text.slice(0, 40))} is none of ${ROLES.join(', ')}`,
    remedy: 'Name one of them, such as: countersign worker --role all',
  });
}
