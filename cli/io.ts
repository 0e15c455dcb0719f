import { openTerminal, type Terminal } from '../client/terminal.js';
import { processVariables, type Variables } from '../config/environment.js';

/** All that the command line has of the outside: tests pass their own. */
export interface Io {
  readonly variables: Variables;
  readonly cwd: string;
  /** stdout: the result, and nothing else. */
  out(text: string): void;
  /** stderr: progress and the one message of a failure. */
  err(text: string): void;
  readonly outIsTerminal: boolean;
  readonly errIsTerminal: boolean;
  readonly columns: number;
  openTerminal(): Terminal;
  /** Aborted at the first Ctrl-C or SIGTERM. */
  readonly interrupted: AbortSignal;
}

/** The real thing: this process's streams, environment and signals. */
export function processIo(): Io {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      controller.abort(new Error('interrupted'));
    });
  const { stdout, stderr } = process;
  // A reader that has seen enough (`| head`) is no failure of ours.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
  });
  return {
    variables: processVariables(),
    cwd: process.cwd(),
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    outIsTerminal: stdout.isTTY,
    errIsTerminal: stderr.isTTY,
    columns: widthOf(stdout) ?? widthOf(stderr) ?? 100,
    openTerminal,
    interrupted: controller.signal,
  };
}

/** Some terminals say that they are no columns wide. */
function widthOf(stream: NodeJS.WriteStream): number | undefined {
  return stream.isTTY && stream.columns > 0 ? stream.columns : undefined;
}
