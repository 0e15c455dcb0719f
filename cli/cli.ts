import { Command, CommanderError, Option } from 'commander';
import { UsageError } from '../config/errors.js';
import { EXIT, explain, type ExitCode } from './explain.js';
import { openContext, type CommonOptions, type Connect, type Context } from './context.js';
import type { Io } from './io.js';
import { checkServer, OVER_SERVER, verbOf } from './server-verbs.js';

type Work<Arguments extends readonly unknown[]> = (
  context: Context,
  ...args: Arguments
) => Promise<ExitCode>;

/** How verbs are added: each file in verbs/ gets one of these. */
export interface Verbs {
  /** A verb with the options that all have, and an example for its help; `default`: what its group does unasked. */
  add(usage: string, description: string, example: string, as?: { default: boolean }): Command;
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
  connect?: Connect,
): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.done;
  const said: string[] = [];
  const program = makeProgram(io, registers, {
    done: (code) => {
      exitCode = code;
    },
    complaint: (text) => said.push(text),
    connect,
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done;
    if (error instanceof CommanderError && error.code === 'commander.help') {
      // Nothing was asked for: the help says what could be.
      io.err(said.join(''));
      return EXIT.usage;
    }
    return complain(io, inWords(error, program, args), {
      json: args.includes('--json'),
      debug: args.includes('--debug'),
    });
  }
}

/** What commander found wrong, with the help that fits: of the verb, not of everything. */
function inWords(error: unknown, program: Command, args: readonly string[]): unknown {
  if (!(error instanceof CommanderError)) return error;
  const [said = '', hint = ''] = error.message.replace(/^error: /, '').split('\n');
  const first = said.replace(/\.$/, '');
  const path = verbPath(program, args);
  return new UsageError({
    what: first.charAt(0).toUpperCase() + first.slice(1),
    remedy:
      hint === ''
        ? `See: ${path} --help`
        : hint.replace(/^\(Did you mean (.*)\?\)$/, 'Perhaps you meant $1'),
  });
}

function verbPath(program: Command, args: readonly string[]): string {
  let at = program;
  for (const arg of args) {
    const next = at.commands.find((command) => command.name() === arg);
    if (next === undefined) break;
    at = next;
  }
  return at === program
    ? 'countersign'
    : ['countersign', ...ancestors(at, program), at.name()].join(' ');
}

function ancestors(command: Command, program: Command): string[] {
  const { parent } = command;
  return parent === null || parent === program
    ? []
    : [...ancestors(parent, program), parent.name()];
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
  {
    done,
    complaint,
    connect,
  }: {
    readonly done: (code: ExitCode) => void;
    readonly complaint: (text: string) => void;
    readonly connect?: Connect | undefined;
  },
): Command {
  const program = new Command('countersign')
    .description(
      'Sets up a real product on the internet for an AI agent, while people keep hold of the money.',
    )
    .helpCommand(false)
    .helpOption('-h, --help', 'show this')
    .configureHelp({ subcommandTerm: termOf })
    .showHelpAfterError(false)
    .showSuggestionAfterError(true)
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        io.out(text);
      },
      // Every complaint is printed once, by `complain`.
      writeErr: complaint,
      getOutHelpWidth: () => HELP_WIDTH,
      getErrHelpWidth: () => HELP_WIDTH,
    });
  program.addHelpText(
    'after',
    '\nExit codes: 0 done, 1 it ran and ended otherwise, 2 the call or a file is wrong,\n3 something it needs cannot be reached. `countersign VERB --help` shows an example of each.\n',
  );
  const added: Added[] = [];
  const verbs = verbsOf(program, { io, done, added, connect });
  for (const register of registers) register(verbs);
  // Last, so that what is particular to a verb comes first in its help.
  for (const { command, example } of added) withCommonOptions(command, example);
  return program;
}

/** `provision <file>`: without the `[options]` that every verb has. */
function termOf(command: Command): string {
  const named = command.registeredArguments.map((argument) => ` <${argument.name()}>`);
  return `${command.name()}${named.join('')}`;
}

interface Added {
  readonly command: Command;
  readonly example: string;
}

interface Making {
  readonly io: Io;
  readonly done: (code: ExitCode) => void;
  readonly added: Added[];
  readonly connect: Connect | undefined;
}

function verbsOf(parent: Command, making: Making): Verbs {
  const inherit = (command: Command): Command =>
    command.copyInheritedSettings(parent).helpOption('-h, --help', 'show this').helpCommand(false);
  return {
    add: (usage, description, example, as) => {
      const command = inherit(new Command().command(usage)).description(description);
      parent.addCommand(command, { isDefault: as?.default === true });
      making.added.push({ command, example });
      return command;
    },
    group: (name, description) => {
      const group = inherit(new Command(name)).description(description);
      parent.addCommand(group);
      return verbsOf(group, making);
    },
    run:
      <Arguments extends readonly unknown[]>(work: Work<Arguments>) =>
      async (...args: unknown[]) => {
        const command = args[args.length - 1] as Command;
        const given = args.slice(0, -1) as unknown as Arguments;
        const options = command.optsWithGlobals<CommonOptions>();
        const context = openContext(making.io, options, making.connect);
        checkServer(command, options, context);
        try {
          making.done(await work(context, ...given));
        } finally {
          await context.close();
        }
      },
  };
}

function withCommonOptions(command: Command, example: string): void {
  const common = (flags: string, description: string): Option =>
    new Option(flags, description).helpGroup('Common options:');
  const overServer = OVER_SERVER.has(verbOf(command));
  command
    .addOption(common('--json', 'one JSON document on stdout, nothing else'))
    .addOption(common('--data <folder>', 'data folder of the stack (or COUNTERSIGN_DATA)'))
    .addOption(common('--config <file>', 'configuration file').hideHelp())
    .addOption(
      common('--server <url>', 'a server, by HTTP (or COUNTERSIGN_SERVER)').hideHelp(!overServer),
    )
    .addOption(common('--debug', 'show where an unexpected fault came from').hideHelp())
    .addHelpOption(common('-h, --help', 'show this'))
    .addHelpText('after', `\nExample:\n  ${example.split('\n').join('\n  ')}\n`);
}
