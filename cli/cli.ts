import { Command, CommanderError, Option } from 'commander';
import { EXIT, explain, type ExitCode } from './explain.js';
import { openContext, type CommonOptions, type Context } from './context.js';
import type { Io } from './io.js';

type Work<Arguments extends readonly unknown[]> = (
  context: Context,
  ...args: Arguments
) => Promise<ExitCode>;

/** How verbs are added: each file in verbs/ gets one of these. */
export interface Verbs {
  /** A verb with the options that all have, and an example for its help. */
  add(usage: string, description: string, example: string): Command;
  /** Under a verb that groups others, such as `keys`. */
  group(name: string, description: string): Omit<Verbs, 'group'>;
  /**
   * Wraps the work of a verb: it gets the context, the arguments and the options, and answers the exit code.
   */
  run<Arguments extends readonly unknown[]>(
    work: Work<Arguments>,
  ): (...args: unknown[]) => Promise<void>;
}

export type Register = (verbs: Verbs) => void;

const HELP_WIDTH = 96;

/** Parses the arguments, does the work, returns the exit code. Never throws, never exits. */
export async function runCli(
  io: Io,
  args: readonly string[],
  registers: readonly Register[],
): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.done;
  const program = makeProgram(io, registers, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done;
    return complain(io, error, {
      json: args.includes('--json'),
      debug: args.includes('--debug'),
    });
  }
}

function complain(
  io: Io,
  error: unknown,
  { json, debug }: { readonly json: boolean; readonly debug: boolean },
): ExitCode {
  const { message, exitCode, code } = explain(error);
  if (json) io.out(`${JSON.stringify({ error: { code, message, exitCode } }, null, 2)}\n`);
  io.err(`countersign: ${message}\n`);
  if (debug && error instanceof Error) io.err(`${error.stack ?? ''}\n`);
  return exitCode;
}

/** The whole command tree; also for tests that read the help texts. */
export function makeProgram(
  io: Io,
  registers: readonly Register[],
  done: (code: ExitCode) => void,
): Command {
  const program = new Command('countersign')
    .description(
      'Sets up a real product on the internet for an AI agent, while people keep hold of the money.',
    )
    .helpCommand(false)
    .showHelpAfterError(false)
    .showSuggestionAfterError(true)
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        io.out(text);
      },
      // Every complaint is printed once, by `complain`.
      writeErr: () => undefined,
      getOutHelpWidth: () => HELP_WIDTH,
      getErrHelpWidth: () => HELP_WIDTH,
    });
  program.addHelpText(
    'after',
    '\nExit codes: 0 done, 1 it ran and ended otherwise, 2 the call or a file is wrong,\n3 something it needs cannot be reached. `countersign VERB --help` shows an example of each.\n',
  );
  const verbs = verbsOf(program, io, done);
  for (const register of registers) register(verbs);
  return program;
}

function verbsOf(parent: Command, io: Io, done: (code: ExitCode) => void): Verbs {
  const inherit = (command: Command): Command =>
    command.copyInheritedSettings(parent).helpOption('-h, --help', 'show this');
  return {
    add: (usage, description, example) => {
      const command = inherit(new Command().command(usage)).description(description);
      parent.addCommand(withCommonOptions(command, example));
      return command;
    },
    group: (name, description) => {
      const group = inherit(new Command(name)).description(description);
      parent.addCommand(group);
      return verbsOf(group, io, done);
    },
    run:
      <Arguments extends readonly unknown[]>(work: Work<Arguments>) =>
      async (...args: unknown[]) => {
        const command = args[args.length - 1] as Command;
        const given = args.slice(0, -1) as unknown as Arguments;
        const context = openContext(io, command.optsWithGlobals<CommonOptions>());
        try {
          done(await work(context, ...given));
        } finally {
          await context.close();
        }
      },
  };
}

function withCommonOptions(command: Command, example: string): Command {
  return command
    .option('--json', 'one JSON document on stdout, nothing else')
    .option('--data <folder>', 'data folder of the embedded stack (or COUNTERSIGN_DATA)')
    .addOption(new Option('--config <file>', 'configuration file').hideHelp())
    .addOption(new Option('--debug', 'show where an unexpected fault came from').hideHelp())
    .addHelpText('after', `\nExample:\n  ${example.split('\n').join('\n  ')}\n`);
}
