import { setTimeout as pause } from 'node:timers/promises';
import { disabledLayers } from '../../config/environment.js';
import { listPrincipals } from '../../store/people.js';
import { createDoor } from '../../gateway/door.js';
import type { Door, LayerName, StopRecord } from '../../gateway/door-contract.js';
import { isConfirmed, layersOf } from '../../gateway/stop-layers.js';
import type { Layer } from '../../gateway/stop-layers.js';
import { stop as fence } from '../../gateway/stop.js';
import { UsageError } from '../../config/errors.js';
import type { Scope } from '../../domain/documents.js';
import { databaseNow } from '../../store/clock.js';
import { readInstance } from '../../store/migrate.js';
import { openRunsUnder } from '../../store/overview.js';
import type { Command } from 'commander';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import { EXIT, type ExitCode } from '../explain.js';
import { disobeying, tellRuns } from '../runtime-layer.js';
import type { Told } from '../runtime-layer.js';
import { scopeOf, type ScopeOptions } from '../scope.js';
import { stopOverServer } from '../stop-over-server.js';
import { fields } from '../style.js';
import { TEMPORAL_VERBS } from '../temporal-verbs.js';

interface StopOptions extends ScopeOptions {
  readonly reason: string;
  readonly hold?: boolean;
  readonly pauseSubscriptions?: boolean;
}

/** Every verb over a scope has the same five options. */
export function withScope(command: Command): Command {
  return command
    .option('--all', 'everything')
    .option('--run <run>', 'one run')
    .option('--agent <agent>', 'all runs of an agent')
    .option('--principal <principal>', 'all runs for a principal')
    .option('--provider <provider>', 'everything at stripe or cloudflare');
}

/** `stop`: the off switch. It needs no signature. */
export const registerStop: Register = (verbs) => {
  withScope(
    verbs.add(
      'stop',
      TEMPORAL_VERBS.stop,
      [
        'countersign stop --all --reason "card stolen"',
        'countersign stop --run launch-7 --hold --reason "let me look"',
        'countersign stop --all --pause-subscriptions --reason "nothing is to be charged"',
      ].join('\n'),
    ),
  )
    .requiredOption('--reason <text>', 'why; it is shown wherever the stop is felt')
    .option('--hold', 'hold runs still instead of unwinding them')
    .option('--pause-subscriptions', 'take nothing for what is subscribed to, until it is lifted')
    .action(verbs.run(stop));
};

const BY = 'an operator at the command line';

async function stop(context: Context, options: StopOptions): Promise<ExitCode> {
  const asked = scopeOf(options);
  const pauses = options.pauseSubscriptions === true;
  if (pauses && asked.startsWith('provider/') && asked !== 'provider/stripe')
    throw new UsageError({
      what: `nobody subscribes at ${asked.slice('provider/'.length)}`,
      remedy: 'Subscriptions are at stripe: give --provider stripe, or another scope',
    });
  if (context.config.server !== undefined) {
    if (pauses)
      throw new UsageError({
        what: '--pause-subscriptions does not go over a server',
        remedy: 'Leave it out, or stop where the stack is, without --server',
      });
    return stopOverServer(context, asked, { reason: options.reason, mode: modeOf(options) });
  }
  const scope = await registerScope(context, asked);
  const db = await context.database();
  const door = createDoor(db);
  const mode = modeOf(options);
  const off = await layersLeftOut(context);
  const { reason } = options;
  const fenced = await fence(
    { db, door },
    { scope, reason, by: BY, proven: false, mode, off, pauses },
  );
  if (!off.includes('gateway'))
    context.tell(`fenced ${scope} at ${fenced.fencedAt}: no effect begins after this`);
  const runs = await openRunsUnder(db, scope);
  if (runs.length === 0 && scope.startsWith('run/'))
    context.tell(
      'no such run is open: the fence stands in case it starts; if you meant another, find it with: countersign runs',
    );
  const order = { mode, reason, by: BY };
  const reached = off.includes('runtime') ? [] : runs;
  const told = await tellRuns(context, reached, (run) => run.stop(order));
  const { layers, record } = await untilConfirmed(context, { scope, mode, runs, door, off });
  context.print(
    {
      scope,
      fencedAt: record.fencedAt,
      drainedAt: record.drainedAt ?? null,
      onTheWire: record.onTheWire,
      layers: layers.map((layer) => ({ ...layer, confirmedAt: layer.confirmedAt ?? null })),
      runs: told,
    },
    report(context, scope, layers, told),
  );
  const silent = told.some(({ fault }) => fault !== undefined);
  return isConfirmed(layers) && !silent ? EXIT.done : EXIT.otherwise;
}

/** What a test leaves out, to see what is said then; in production nothing ever is. */
async function layersLeftOut(context: Context): Promise<LayerName[]> {
  const named = disabledLayers(context.io.variables);
  if (named.length === 0) return [];
  const { mode } = await readInstance(await context.database());
  return mode === 'embedded' ? LAYERS.filter((layer) => named.includes(layer)) : [];
}

const LAYERS: readonly LayerName[] = ['gateway', 'runtime', 'identity', 'payment'];

/** A principal may be named by address; fences know register ids. */
export async function registerScope(context: Context, scope: Scope): Promise<Scope> {
  const [kind, id = ''] = scope.split(/\/(.*)/s);
  if (kind !== 'principal' || !id.includes('@')) return scope;
  const rows = await listPrincipals(await context.database());
  const known = rows.find((row) => row.email === id.toLowerCase());
  return known === undefined ? scope : `principal/${known.principal_id}`;
}

const modeOf = ({ hold }: StopOptions): 'hold' | 'unwind' => (hold === true ? 'hold' : 'unwind');

const LOOK_MS = 500;
/** Once nothing is on the wire any more, the other layers are given this long. In ms. */
const CONFIRM_MS = 60_000;

interface Stopping {
  readonly scope: Scope;
  readonly mode: 'hold' | 'unwind';
  readonly runs: readonly { readonly run_id: string }[];
  readonly door: Door;
  readonly off: readonly LayerName[];
}

/**
 * Looks until each layer is confirmed. What was on the wire ends by its deadline and is waited for; the rest has its
 * time, and what is not seen to hold by then is called so.
 */
async function untilConfirmed(
  context: Context,
  { scope, mode, runs, door, off }: Stopping,
): Promise<{ readonly layers: readonly Layer[]; readonly record: StopRecord }> {
  const ids = runs.map(({ run_id: runId }) => runId);
  const runtimeOff = off.includes('runtime');
  let obeyedAt: string | undefined;
  let shown = '';
  let patience = CONFIRM_MS / LOOK_MS;
  for (;;) {
    const record = await door.drained(scope);
    const silent = runtimeOff ? ids : await disobeying(context, ids, mode);
    if (silent.length === 0 && !runtimeOff)
      obeyedAt ??= (await databaseNow(await context.database())).toISOString();
    const layers = layersOf(await door.layers(scope), record, {
      at: obeyedAt,
      runs: ids.length,
      silent: silent.length,
    });
    if (record.drainedAt !== undefined) patience -= 1;
    // What a test has left out is never confirmed: there is nothing to wait for.
    const open = layers.filter(
      ({ confirmedAt, layer }) => confirmedAt === undefined && !off.includes(layer),
    );
    if (open.length === 0 || patience <= 0 || context.io.interrupted.aborted)
      return { layers, record };
    const words = open.map(({ layer, detail }) => `${layer}: ${detail}`).join('; ');
    if (words !== shown) context.tell(`waiting for ${words}`);
    shown = words;
    await pause(LOOK_MS);
  }
}

function report(
  { style }: Context,
  scope: string,
  layers: readonly Layer[],
  told: readonly Told[],
): readonly string[] {
  const silent = told.filter((one) => one.fault !== undefined);
  return [
    style.bold(`Stopped: ${scope}`),
    ...fields(
      style,
      [
        ...layers.map(
          ({ layer, confirmedAt, detail }) =>
            [
              layer,
              `${confirmedAt === undefined ? style.bad('UNCONFIRMED') : `${style.good('confirmed')} ${confirmedAt}`}: ${detail}`,
            ] as const,
        ),
        ['told', `${told.length - silent.length} of ${told.length} run(s)`],
        ...silent.map((one) => ['', `${one.runId}: ${one.fault ?? ''}`] as const),
        ['to lift it', `countersign resume ${scopeArgument(scope)} --reason "…" --key FILE`],
      ],
      '  ',
    ),
  ];
}

function scopeArgument(scope: string): string {
  const [kind = '', id = ''] = scope.split(/\/(.*)/s);
  return kind === 'all' ? '--all' : `--${kind} ${id}`;
}
