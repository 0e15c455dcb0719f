import { spawn } from 'node:child_process';
import { EXIT, type ExitCode } from './explain.js';
import type { Io } from './io.js';

const SIGTERM_EXIT = 128 + 15;

/**
 * Hands the terminal over to a program of ours and ends as it ends. A channel between the two closes however this
 * process ends, so that `endWithCaller` in the other one notices even a kill.
 */
export function runProgram(io: Io, file: string, args: readonly string[]): Promise<ExitCode> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [file, ...args], {
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
      cwd: io.cwd,
      env: io.variables,
    });
    const onInterrupt = (): void => {
      child.kill('SIGTERM');
    };
    io.interrupted.addEventListener('abort', onInterrupt, { once: true });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      io.interrupted.removeEventListener('abort', onInterrupt);
      // Told to leave, and left: miniflare ends the process by the signal's number once it has cleaned up.
      const left = signal === 'SIGTERM' || code === SIGTERM_EXIT;
      if (io.interrupted.aborted && left) resolve(EXIT.done);
      else resolve(Object.values(EXIT).find((known) => known === code) ?? EXIT.otherwise);
    });
  });
}

/** Ends this process as Ctrl-C would when the one that handed over to it is gone. */
export function endWithCaller(): void {
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  // The channel alone must not keep this process alive.
  process.channel?.unref();
}
