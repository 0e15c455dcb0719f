import { setTimeout as pause } from 'node:timers/promises';
import { RunUnknown } from '../../client/errors.js';
import type { RunHandle } from '../../client/run-handle.js';
import { listPrincipals } from '../../store/people.js';
import { createDoor } from '../../gateway/door.js';
import type { StopRecord } from '../../gateway/door-contract.js';
import { stop as fence } from '../../gateway/stop.js';
import type { Scope } from '../../domain/documents.js';
import { openRunsUnder } from '../../store/overview.js';
import type { Command } from 'commander';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import { EXIT, explain, type ExitCode } from '../explain.js';
import { scopeOf, type ScopeOptions } from '../scope.js';
import { fields } from '../style.js';
import { TEMPORAL_VERBS } from '../temporal-verbs.js';

interface StopOptions extends ScopeOptions {
  readonly reason: string;
  readonly hold?: boolean;
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
      'countersign stop --all --reason "card stolen"\ncountersign stop --run launch-7 --hold --reason "let me look"',
    ),
  )
    .requiredOption('--reason <text>', 'why; it is shown wherever the stop is felt')
    .option('--hold', 'hold runs still instead of unwinding them')
    .action(verbs.run(stop));
};

const BY = 'an operator at the command line';

async function stop(context: Context, options: StopOptions): Promise<ExitCode> {
  const scope = await registerScope(context, scopeOf(options));
  const db = await context.database();
  const door = createDoor(db);
  const fenced = await fence(
    { db, door },
    { scope, reason: options.reason, by: BY, proven: false, mode: modeOf(options) },
  );
  context.tell(`fenced ${scope} at ${fenced.fencedAt}: no effect begins after this`);
  const runs = await openRunsUnder(db, scope);
  if (runs.length === 0 && scope.startsWith('run/'))
    context.tell(
      'no such run is open: the fence stands in case it starts; if you meant another, find it with: countersign runs',
    );
  const order = { mode: modeOf(options), reason: options.reason, by: BY };
  const told = await tellRuns(context, runs, (run) => run.stop(order));
  const drained = await untilDrained(context, () => door.drained(scope));
  const silent = told.filter((one) => one.fault !== undefined);
  context.print(
    {
      scope,
      fencedAt: drained.fencedAt,
      drainedAt: drained.drainedAt ?? null,
      onTheWire: drained.onTheWire,
      runs: told,
    },
    report(context, scope, drained, told),
  );
  return drained.drainedAt === undefined || silent.length > 0 ? EXIT.otherwise : EXIT.done;
}

/** A principal may be named by address; fences know register ids. */
export async function registerScope(context: Context, scope: Scope): Promise<Scope> {
  const [kind, id = ''] = scope.split(/\/(.*)/s);
  if (kind !== 'principal' || !id.includes('@')) return scope;
  const rows = await listPrincipals(await context.database());
  const known = rows.find((row) => row.email === id.toLowerCase());
  return known === undefined ? scope : `principal/${known.principal_id}`;
}

export interface Told {
  readonly runId: string;
  /** Why the run could not be told; the fence holds all the same. */
  readonly fault?: string;
}

const modeOf = ({ hold }: StopOptions): 'hold' | 'unwind' => (hold === true ? 'hold' : 'unwind');

/** Tells each run; what cannot be told is named, and stops nobody else's telling. */
export async function tellRuns(
  context: Context,
  runs: readonly { readonly run_id: string }[],
  tell: (run: RunHandle) => Promise<void>,
): Promise<Told[]> {
  const told: Told[] = [];
  for (const { run_id: runId } of runs) {
    try {
      const client = await context.client();
      await tell(client.run(runId));
      told.push({ runId });
    } catch (error) {
      // A run that Temporal no longer has cannot act; the sweep closes its door.
      const fault = error instanceof RunUnknown ? 'not in Temporal' : explain(error).message;
      told.push({ runId, fault });
    }
  }
  return told;
}

const DRAIN_LOOK_MS = 500;

/** What was on the wire ends by its deadline; until then the stop is not complete, and says so. */
async function untilDrained(
  context: Context,
  look: () => Promise<StopRecord>,
): Promise<StopRecord> {
  let shown = -1;
  for (;;) {
    const record = await look();
    if (record.drainedAt !== undefined || context.io.interrupted.aborted) return record;
    if (record.onTheWire.length !== shown)
      context.tell(`waiting for ${record.onTheWire.length} request(s) on the wire to end`);
    shown = record.onTheWire.length;
    await pause(DRAIN_LOOK_MS);
  }
}

function report(
  { style }: Context,
  scope: string,
  record: StopRecord,
  told: readonly Told[],
): readonly string[] {
  const confirmed = (when: string | undefined): string =>
    when === undefined ? style.bad('UNCONFIRMED') : `${style.good('confirmed')} ${when}`;
  const silent = told.filter((one) => one.fault !== undefined);
  const runs = `${told.length - silent.length} of ${told.length} run(s) told`;
  return [
    style.bold(`Stopped: ${scope}`),
    ...fields(
      style,
      [
        ['fenced', confirmed(record.fencedAt)],
        ['drained', confirmed(record.drainedAt)],
        ['runs', silent.length === 0 ? runs : style.bad(`UNCONFIRMED: ${runs}`)],
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
