import type { Command } from 'commander';
import { UsageError } from '../config/errors.js';
import type { CommonOptions, Context } from './context.js';

/** Verbs that speak to a server when one is named; the rest work on a stack of their own machine. */
export const OVER_SERVER: ReadonlySet<string> = new Set([
  ...['login', 'logout', 'whoami'],
  ...['provision', 'runs', 'show', 'watch', 'why', 'approve', 'reject', 'stop'],
]);

/** Verbs that need no server: what the environment names is nothing to them. */
const ALONE: ReadonlySet<string> = new Set([
  ...['up', 'demo', 'worker', 'server', 'sandbox', 'migrate', 'pretend'],
  ...['keys new', 'policy check', 'policy explain', 'services new'],
]);

/** @throws UsageError when a server is named to a verb that has no route to it */
export function checkServer(command: Command, options: CommonOptions, context: Context): void {
  if (context.config.server === undefined) return;
  const verb = verbOf(command);
  if (OVER_SERVER.has(verb)) return;
  if (options.server === undefined && ALONE.has(verb)) return;
  throw new UsageError({
    what: `${verb} does not go over a server: it works on the stack of a data folder`,
    remedy:
      options.server === undefined
        ? 'Unset COUNTERSIGN_SERVER for it, and run it where the stack is'
        : 'Leave --server out, and run it where the stack is',
  });
}

/** `keys new`: a verb with its group. */
export function verbOf(command: Command): string {
  const { parent } = command;
  return parent?.parent == null ? command.name() : `${verbOf(parent)} ${command.name()}`;
}
