import { fileURLToPath } from 'node:url';
import { visible } from '../../domain/untrusted.js';
import type { Reconciled } from '../../gateway/reconcile.js';
import { askProgram } from '../ask-program.js';
import type { Register } from '../cli.js';
import type { CommonOptions, Context } from '../context.js';
import { EXIT, type ExitCode } from '../explain.js';
import { wrap } from '../style.js';

/** A program of its own: only it needs the providers' SDKs. */
const PROGRAM = fileURLToPath(new URL('../programs/reconcile.js', import.meta.url));

interface ReconcileOptions extends CommonOptions {
  readonly unmanaged?: boolean;
}

/** `reconcile`: compares everything at the providers with the record, now; workers do it each hour. */
export const registerReconcile: Register = (verbs) => {
  verbs
    .add(
      'reconcile',
      'Compares all that exists at the providers with the record; only reads there',
      'countersign reconcile --unmanaged',
    )
    .option('--unmanaged', 'list what was made outside as well')
    .action(
      verbs.run(async (context, options: ReconcileOptions) => {
        const outcome = await askProgram<Reconciled>(context, { file: PROGRAM }, options);
        return told(context, outcome, options.unmanaged === true);
      }),
    );
};

function told(context: Context, outcome: Reconciled, unmanaged: boolean): ExitCode {
  const { style } = context;
  const { found, unread } = outcome;
  context.print(outcome, [
    found.length === 0
      ? style.good('Nothing differs from the record.')
      : style.bold(`${found.length} differ from the record:`),
    ...found.flatMap((one) => [
      `  ${style.warn(one.kind)}  ${visible(one.object)}`,
      ...wrap(visible(one.text), style.columns - 6).map((line) => `      ${line}`),
    ]),
    ...unread.map(({ area, why }) => style.bad(`  not read: ${visible(area)}: ${visible(why)}`)),
    `${outcome.opened} case(s) opened, ${outcome.resolved} closed, ${outcome.renewals} renewal(s) booked, ${outcome.requests} requests, all of them reads.`,
    ...(outcome.unmanaged.length === 0
      ? []
      : [
          `${outcome.unmanaged.length} thing(s) bear no marker of ours and were left alone${unmanaged ? ':' : ': see them with --unmanaged'}`,
        ]),
    ...(unmanaged
      ? outcome.unmanaged.map(({ kind, object }) => `  ${kind}  ${visible(object)}`)
      : []),
    ...(found.length === 0 ? [] : ['What to do about each: countersign cases']),
  ]);
  return found.length === 0 && unread.length === 0 ? EXIT.done : EXIT.otherwise;
}
