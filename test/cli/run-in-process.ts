import type { Command } from 'commander';
import type { Terminal } from '../../client/terminal.js';
import { createClient } from '../../client/client.js';
import { NoTerminal } from '../../client/errors.js';
import { makeProgram, runCli } from '../../cli/cli.js';
import type { Io } from '../../cli/io.js';
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
  /** Aborted: whoever called has pressed Ctrl-C. */
  readonly interrupted?: AbortSignal;
  /** Hears each line of stderr as it is said. */
  readonly hear?: (text: string) => void;
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
  const io = ioOf({
    variables: call.variables ?? {},
    cwd: call.cwd ?? process.cwd(),
    ...(call.interrupted === undefined ? {} : { interrupted: call.interrupted }),
    out: (text) => {
      streams.out += text;
    },
    err: (text) => {
      streams.err += text;
      call.hear?.(text);
    },
    openTerminal: () => {
      if (call.typed === undefined) throw new NoTerminal();
      return terminal;
    },
  });
  const exitCode = await runCli(io, args, REGISTERS, createClient);
  return { exitCode, ...streams };
}

/** Streams without a terminal, and whatever a test wants otherwise. */
export function ioOf(own: Partial<Io>): Io {
  return {
    variables: {},
    cwd: '/',
    out: () => undefined,
    err: () => undefined,
    outIsTerminal: false,
    errIsTerminal: false,
    columns: 100,
    openTerminal: () => {
      throw new NoTerminal();
    },
    interrupted: new AbortController().signal,
    ...own,
  };
}

/** Every verb of the command line, for reading its help: nothing is run. */
export const programForHelp = (): Command =>
  makeProgram(ioOf({ columns: 96 }), REGISTERS, {
    done: () => undefined,
    complaint: () => undefined,
  });
