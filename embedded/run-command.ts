import { spawn } from 'node:child_process';

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly timeoutMs: number;
  /** Called with each piece of output as it comes, for long commands that report progress. */
  readonly onOutput?: (text: string) => void;
}

export interface CommandResult {
  /** `undefined` when the command could not be started, was killed, or ran out of time. */
  readonly code: number | undefined;
  /** stdout and stderr as they came, the last 64 KiB. */
  readonly output: string;
}

const OUTPUT_MAX = 64 * 1024;

/** Runs a command to its end without a shell; never throws, the result says how it went. */
export function runCommand(
  file: string,
  args: readonly string[],
  { env = {}, cwd, uid, gid, timeoutMs, onOutput }: CommandOptions,
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      env: { ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(cwd === undefined ? {} : { cwd }),
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    });
    // Not spawn's own `timeout`: its timer stays when the program can't be started, and keeps us alive.
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    let output = '';
    const take = (chunk: Buffer): void => {
      const text = chunk.toString('utf8');
      output = (output + text).slice(-OUTPUT_MAX);
      onOutput?.(text);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve({ code: undefined, output: `${output}${error.message}` });
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? undefined, output });
    });
  });
}

/** The last line of a command's output that says something, for a one-sentence error. */
export function lastLine(output: string): string {
  return (
    output
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
      .at(-1) ?? 'it said nothing'
  );
}
