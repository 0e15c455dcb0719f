import { UsageError } from '../config/errors.js';
import type { Scope } from '../domain/documents.js';
import { visible } from '../domain/untrusted.js';
import type { Context } from './context.js';
import { EXIT, type ExitCode } from './explain.js';
import { signedIn } from './over-server.js';
import { fields } from './style.js';

/** Stops a scope at a server. What it cannot see from here, whether each layer holds by now, it does not claim. */
export async function stopOverServer(
  context: Context,
  scope: Scope,
  order: { readonly reason: string; readonly mode: 'hold' | 'unwind' },
): Promise<ExitCode> {
  if (scope.startsWith('principal/') && scope.includes('@'))
    throw new UsageError({
      what: 'a server takes no e-mail address',
      remedy: 'Name the principal by its id, such as --principal pr_0a1b2c',
    });
  const { api } = await signedIn(context);
  const { drainedAt, fencedAt, onTheWire, untold } = await api.stop(scope, order);
  const { style } = context;
  const drained =
    drainedAt === null
      ? `${style.bad('UNCONFIRMED')}: ${onTheWire} on the wire; ask again, or look with: countersign show RUN`
      : `${style.good('confirmed')} ${visible(drainedAt)}`;
  context.print({ scope, fencedAt, drainedAt, onTheWire, untold }, [
    style.bold(`Stopped: ${scope}`),
    ...fields(
      style,
      [
        ['fenced', `${style.good('confirmed')} ${visible(fencedAt)}: no effect begins after this`],
        ['drained', drained],
        ...untold.map((run) => ['not told', visible(run)] as const),
      ],
      '  ',
    ),
  ]);
  return drainedAt !== null && untold.length === 0 ? EXIT.done : EXIT.otherwise;
}
