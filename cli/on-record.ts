import type { RunListing } from '../client/client.js';
import { hasEnded } from '../client/watch-run.js';
import type { RunState } from '../domain/plan.js';
import { endsOnRecord } from '../store/overview.js';
import { tornDownBy } from '../store/teardowns.js';
import { ENDS } from '../domain/steps.js';
import type { Context } from './context.js';

/**
 * Checks what Temporal says of an ended run against the control database: whoever reaches Temporal can end a workflow
 * there, and only the record proves how a run ended. A difference is shown as `stuck`, with both words. Without a
 * database the answer is passed on, and said to be unchecked.
 */
export async function onRecord(context: Context, state: RunState): Promise<RunState> {
  if (!hasEnded(state)) return state;
  const records = await ends(context, [state.runId]);
  const recorded = records?.get(state.runId);
  if (records === undefined) return state;
  if (recorded === state.phase) return { ...state, ...(await torn(context, state)) };
  // Who is not admitted leaves nothing on record, and has done nothing.
  if (recorded === undefined && state.phase === 'denied') return state;
  return {
    ...state,
    phase: 'stuck',
    why: `Temporal says ${state.phase}, and the record says ${recorded ?? 'nothing of such a run'}: believe the record`,
    waitsFor: {
      what: 'somebody who looks who ended the workflow, and how',
      who: 'an operator',
      command: 'countersign cases',
    },
  };
}

/** What was torn down since, Temporal cannot know. */
async function torn(
  context: Context,
  { phase, runId }: RunState,
): Promise<Pick<RunState, 'tornDownBy'>> {
  if (phase !== 'completed') return {};
  const by = await tornDownBy(await context.database(), runId);
  return by?.done === true ? { tornDownBy: by.runId } : {};
}

/** The same for a listing; a run whose end the record does not bear out is listed as `stuck`. */
export async function listedOnRecord(
  context: Context,
  runs: readonly RunListing[],
): Promise<readonly RunListing[]> {
  const ended = runs.filter(({ phase }) => ENDS.some((end) => end === phase));
  const recorded = await ends(
    context,
    ended.map(({ runId }) => runId),
  );
  if (recorded === undefined) return runs;
  return runs.map((run) => {
    if (!ended.includes(run)) return run;
    const known = recorded.get(run.runId);
    const same = known === run.phase || (known === undefined && run.phase === 'denied');
    return same ? run : { ...run, phase: 'stuck' };
  });
}

async function ends(
  context: Context,
  runIds: readonly string[],
): Promise<ReadonlyMap<string, string> | undefined> {
  try {
    return await endsOnRecord(await context.database(), runIds);
  } catch {
    context.tell(
      context.progressStyle.warn(
        'Not checked against the record: the control database was not reached.',
      ),
    );
    return undefined;
  }
}
