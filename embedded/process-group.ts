import { spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import type { Readable } from 'node:stream';
import { UnreachableError } from '../config/errors.js';

export interface GroupCommand {
  readonly file: string;
  readonly args: readonly string[];
  /** The whole environment of the child: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly user?: { readonly uid: number; readonly gid: number };
  /** For programs that are not ours and do not watch their stdin: the kernel ends them with us. */
  readonly dieWithParent?: boolean;
}

export interface ProcessGroup {
  readonly pid: number;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when the leader has ended; says why. */
  readonly exit: Promise<string>;
  readonly ended: () => boolean;
  /** Signals every process of the group; true if there was one. */
  signal(signal: NodeJS.Signals): boolean;
  /** Signals, and kills what is left of the group after `graceMs`; resolves when the leader is gone. */
  end(signal: NodeJS.Signals, graceMs: number): Promise<void>;
}

const SETPRIV = '/usr/bin/setpriv';

/**
 * What is really run. A shell, whose own variables stay behind, is replaced by the program and takes core dumps away,
 * for memory holds secrets; the kernel is told to end the program with its parent, where it can be.
 */
export function commandLine(command: GroupCommand): { file: string; args: string[] } {
  const dying = command.dieWithParent === true && runnable(SETPRIV);
  const line = [
    ...(dying ? [SETPRIV, '--pdeathsig', 'KILL', '--'] : []),
    command.file,
    ...command.args,
  ];
  if (process.platform === 'win32') return { file: command.file, args: [...command.args] };
  return {
    file: '/bin/sh',
    args: ['-c', 'ulimit -c 0; unset PWD OLDPWD SHLVL; exec "$@"', 'sh', ...line],
  };
}

/**
 * Starts a command as the leader of a process group of its own, with stdin as a pipe that closes
 * when this process ends. @throws UnreachableError when the program can't be started
 */
export function spawnGroup(command: GroupCommand): ProcessGroup {
  const { file, args } = commandLine(command);
  const child = spawn(file, args, {
    env: { ...command.env },
    cwd: command.cwd,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...command.user,
  });
  const ending: { why?: string } = {};
  const exit = new Promise<string>((resolve) => {
    const finish = (why: string): void => {
      ending.why ??= why;
      resolve(ending.why);
    };
    child.once('error', (error) => {
      finish(error.message);
    });
    child.once('exit', (code, signal) => {
      finish(signal === null ? `exit code ${String(code)}` : `killed by ${signal}`);
    });
  });
  // The child may leave before it has read what we never write.
  child.stdin.on('error', () => undefined);
  return groupOf(child, child.stdout, child.stderr, exit, () => ending.why !== undefined, command);
}

function groupOf(
  child: ChildProcess,
  stdout: Readable,
  stderr: Readable,
  exit: Promise<string>,
  ended: () => boolean,
  command: GroupCommand,
): ProcessGroup {
  const { pid } = child;
  if (pid === undefined) {
    throw new UnreachableError({
      what: 'the program could not be started',
      where: command.file,
      remedy: 'Check that the file exists and may be executed',
    });
  }
  const signal = (name: NodeJS.Signals): boolean => signalGroup(pid, name);
  let swept = false;
  const end = async (name: NodeJS.Signals, graceMs: number): Promise<void> => {
    if (!ended()) {
      signal(name);
      const timer = setTimeout(() => signal('SIGKILL'), graceMs);
      await exit;
      clearTimeout(timer);
    }
    // The leader is gone; whoever it started may live on and hold its port. Once: the id may be used again.
    if (!swept) signal('SIGKILL');
    swept = true;
  };
  return { pid, stdout, stderr, exit, ended, signal, end };
}

/** Signals a whole process group by its leader's id; false when there is none (any more). */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}

function runnable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
