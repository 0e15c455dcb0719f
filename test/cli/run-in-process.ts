import type { Terminal } from '../../client/terminal.js';
import { NoTerminal } from '../../client/errors.js';
import { runCli } from '../../cli/cli.js';
import { REGISTERS } from '../../cli/verbs.js';

/** What one call of the command line printed, and how it ended. */
export interface Outcome {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
  /** What the person at the terminal saw. */
  readonly seen: string;
}

export interface Call {
  readonly variables?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Lines that a person types; absent: there is no terminal. */
  readonly typed?: readonly string[];
}

/** Runs the command line inside this process, with streams and terminal of its own. */
export async function callCli(args: readonly string[], call: Call = {}): Promise<Outcome> {
  const streams = { out: '', err: '', seen: '' };
  const typed = [...(call.typed ?? [])];
  const answer = (question: string): Promise<string> => {
    streams.seen += `${question}\n`;
    const line = typed.shift();
    if (line === undefined) throw new Error(`nobody answers: ${question}`);
    return Promise.resolve(line);
  };
  const terminal: Terminal = {
    columns: 100,
    write: (text) => {
      streams.seen += text;
    },
    ask: answer,
    askHidden: answer,
    close: () => undefined,
  };
  const exitCode = await runCli(
    {
      variables: call.variables ?? {},
      cwd: call.cwd ?? process.cwd(),
      out: (text) => {
        streams.out += text;
      },
      err: (text) => {
        streams.err += text;
      },
      outIsTerminal: false,
      errIsTerminal: false,
      columns: 100,
      openTerminal: () => {
        if (call.typed === undefined) throw new NoTerminal();
        return terminal;
      },
      interrupted: new AbortController().signal,
    },
    args,
    REGISTERS,
  );
  return { exitCode, ...streams };
}
