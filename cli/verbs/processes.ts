import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../../config/errors.js';
import { migrate } from '../../store/migrate.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import { EXIT, type ExitCode } from '../explain.js';

export const ROLES = ['workflows', 'actions', 'compensations', 'all'] as const;
export type Role = (typeof ROLES)[number];

/** Programs of their own: the SDKs that they load would make every other verb slow to start. */
export const PROGRAMS = {
  worker: fileURLToPath(new URL('../programs/worker.js', import.meta.url)),
  sandbox: fileURLToPath(new URL('../programs/sandbox.js', import.meta.url)),
} as const;

/** `worker`, `sandbox`, `migrate`: one process or job each. */
export const registerProcesses: Register = (verbs) => {
  verbs
    .add('worker', 'Runs one worker until interrupted', 'countersign worker --role actions')
    .requiredOption('--role <role>', `what it does: ${ROLES.join(', ')}`)
    .action(
      verbs.run(async (context, options: { readonly role: string }) =>
        runProgram(context, PROGRAMS.worker, ['--role', roleOf(options.role)]),
      ),
    );
  verbs
    .add(
      'sandbox',
      'Runs the stand-ins for Stripe and Cloudflare until interrupted',
      'countersign sandbox --data ./sandbox-data --api-port 4010',
    )
    .option('--api-port <port>', 'port of both providers; a free one unless given')
    .option('--control-port <port>', 'port of the control routes')
    .option('--edge-port <port>', 'port that answers for the sites')
    .action(
      verbs.run((context, options: Readonly<Record<string, string | undefined>>) => {
        const ports = PORT_OPTIONS.flatMap(([option, flag]) => {
          const value = options[option];
          return value === undefined ? [] : [flag, portOf(flag, value)];
        });
        const data = ['--data', context.config.dataDir];
        return runProgram(context, PROGRAMS.sandbox, [...data, ...ports]);
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
        const { mode } = context.config;
        const { id } = await migrate(context.databaseUrl(), { mode });
        context.print({ instance: id, mode }, [
          `The schema is up to date. Instance ${id} (${mode}).`,
        ]);
        return 0;
      }),
    );
};

const PORT_OPTIONS = [
  ['apiPort', '--api-port'],
  ['controlPort', '--control-port'],
  ['edgePort', '--edge-port'],
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
export function roleOf(text: string): Role {
  const role = ROLES.find((name) => name === text);
  if (role !== undefined) return role;
  throw new UsageError({
    what: `--role ${JSON.stringify(text.slice(0, 40))} is none of ${ROLES.join(', ')}`,
    remedy: 'Name one of them, such as: countersign worker --role all',
  });
}

/** Hands the terminal over to a program of ours and ends as it ends. */
function runProgram(context: Context, file: string, args: readonly string[]): Promise<ExitCode> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [file, ...args], {
      stdio: 'inherit',
      cwd: context.io.cwd,
      env: context.io.variables,
    });
    const onInterrupt = (): void => {
      child.kill('SIGTERM');
    };
    context.io.interrupted.addEventListener('abort', onInterrupt, { once: true });
    child.once('error', reject);
    child.once('exit', (code) => {
      context.io.interrupted.removeEventListener('abort', onInterrupt);
      resolve(Object.values(EXIT).find((known) => known === code) ?? EXIT.otherwise);
    });
  });
}
