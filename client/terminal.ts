import { closeSync, openSync, writeSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import { NoTerminal } from './errors.js';

/** The person's own terminal, whatever stdin and stdout are: a passphrase never comes from a pipe. */
export interface Terminal {
  readonly columns: number;
  write(text: string): void;
  /** One line, echoed. @throws Interrupted on Ctrl-C or Ctrl-D */
  ask(question: string): Promise<string>;
  /** One line, not echoed. @throws Interrupted on Ctrl-C or Ctrl-D */
  askHidden(question: string): Promise<string>;
  close(): void;
}

/** The person at the terminal broke off. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  constructor() {
    super('broken off at the terminal; nothing was signed or changed');
  }
}

/** Opens the controlling terminal. @throws NoTerminal */
export function openTerminal(): Terminal {
  const fd = openControlling();
  const input = new ReadStream(fd);
  const write = (text: string): void => {
    writeSync(fd, text);
  };
  const read = (question: string, echo: boolean): Promise<string> => {
    // Before the question: whoever types at once must not be echoed by the terminal itself.
    input.setRawMode(true);
    write(question);
    return readLine(input, echo ? write : undefined).finally(() => {
      write('\n');
    });
  };
  return {
    columns: process.stderr.columns > 0 ? process.stderr.columns : 100,
    write,
    ask: (question) => read(question, true),
    askHidden: (question) => read(question, false),
    close: () => {
      input.destroy();
    },
  };
}

function openControlling(): number {
  let fd: number;
  try {
    fd = openSync('/dev/tty', 'r+');
  } catch {
    throw new NoTerminal();
  }
  try {
    // A controlling terminal that has hung up opens, and fails at the first use.
    writeSync(fd, '');
  } catch {
    closeSync(fd);
    throw new NoTerminal();
  }
  return fd;
}

const MAX_LINE = 1_000;

/** In raw mode nothing is echoed unless `echo` does it, and no line editor keeps a history. Ends raw mode. */
function readLine(input: ReadStream, echo: ((text: string) => void) | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    let line = '';
    input.setEncoding('utf8');
    const settle = (finish: () => void): void => {
      input.off('data', onData);
      input.off('end', onEnd);
      input.setRawMode(false);
      input.pause();
      finish();
    };
    const onEnd = (): void => {
      settle(() => {
        reject(new Interrupted());
      });
    };
    const onData = (chunk: string): void => {
      for (const key of chunk) {
        if (key === '\r' || key === '\n') {
          settle(() => {
            resolve(line);
          });
          return;
        }
        if (key === '\u0003' || key === '\u0004') {
          onEnd();
          return;
        }
        if (key === '\u007f' || key === '\b') {
          if (line !== '') echo?.('\b \b');
          line = Array.from(line).slice(0, -1).join('');
        } else if (key >= ' ' && line.length < MAX_LINE) {
          line += key;
          echo?.(key);
        }
      }
    };
    input.on('data', onData);
    input.on('end', onEnd);
    input.resume();
  });
}
