import { type RunHandle } from '../client/run-handle.js';
import { hasEnded } from '../client/watch-run.js';
import { RunUnknown } from '../client/errors.js';
import { endsOnRecord } from '../store/overview.js';
import type { Context } from './context.js';
import { explain } from './explain.js';

/** How many runs are told, or asked, at once. */
const AT_ONCE = 25;

export interface Told {
  readonly runId: string;
  /** Why the run could not be told; the fence holds all the same. */
  readonly fault?: string;
}

/** Tells each run; what cannot be told is named, and stops nobody else's telling. */
export async function tellRuns(
  context: Context,
  runs: readonly { readonly run_id: string }[],
  tell: (run: RunHandle) => Promise<void>,
): Promise<Told[]> {
  const told: Told[] = [];
  for (let from = 0; from < runs.length; from += AT_ONCE)
    told.push(
      ...(await Promise.all(
        runs.slice(from, from + AT_ONCE).map(({ run_id: runId }) => tellRun(context, runId, tell)),
      )),
    );
  return told;
}

async function tellRun(
  context: Context,
  runId: string,
  tell: (run: RunHandle) => Promise<void>,
): Promise<Told> {
  try {
    const client = await context.client();
    await tell(client.run(runId));
    return { runId };
  } catch (error) {
    // A run that Temporal no longer has cannot act; the sweep closes its door.
    const fault = error instanceof RunUnknown ? 'not in Temporal' : explain(error).message;
    return { runId, fault };
  }
}

/**
 * Those of the runs that nobody has seen to obey yet: one that unwinds has its door closed on record, one that holds
 * still says so itself.
 */
export async function disobeying(
  context: Context,
  runIds: readonly string[],
  mode: 'unwind' | 'hold',
): Promise<string[]> {
  const db = await context.database();
  const ends = await endsOnRecord(db, runIds);
  const open = runIds.filter((runId) => ends.get(runId) === 'open');
  if (mode === 'unwind') return open;
  const silent: string[] = [];
  for (let from = 0; from < open.length; from += AT_ONCE)
    silent.push(
      ...(
        await Promise.all(
          open.slice(from, from + AT_ONCE).map(async (runId) => {
            const state = await (
              await context.client()
            )
              .run(runId)
              .state()
              .catch(() => undefined);
            const still = state !== undefined && (STILL.has(state.phase) || hasEnded(state));
            return still ? [] : [runId];
          }),
        )
      ).flat(),
    );
  return silent;
}

const STILL: ReadonlySet<string> = new Set(['held', 'stuck', 'unwinding']);
