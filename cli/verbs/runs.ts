import { UsageError } from '../../config/errors.js';
import { hasEnded } from '../../client/watch-run.js';
import { parseRunId } from '../../domain/ids.js';
import type { RunId } from '../../domain/ids.js';
import type { RunState } from '../../domain/plan.js';
import { ENDS, PHASES } from '../../domain/steps.js';
import { visible } from '../../domain/untrusted.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import { EXIT, type ExitCode } from '../explain.js';
import { exitCodeOf, follow } from '../follow.js';
import { runOverServer, signedIn } from '../over-server.js';
import { listedOnRecord, onRecord } from '../on-record.js';
import { withSandboxHint } from '../sandbox-hint.js';
import { listingLines, nextStep, stateLines, waitLines } from '../run-view.js';
import { duration, table } from '../style.js';
import { TEMPORAL_VERBS } from '../temporal-verbs.js';

/** `runs`, `show`, `watch`, `why`: reading only. */
export const registerRuns: Register = (verbs) => {
  verbs
    .add('runs', TEMPORAL_VERBS.runs, 'countersign runs --phase awaiting-approval')
    .option('--phase <phase>', `only those in one phase: ${[...PHASES, ...ENDS].join(', ')}`)
    .action(
      verbs.run(async (context, options: { readonly phase?: string }) => {
        const phase = options.phase === undefined ? undefined : phaseOf(options.phase);
        if (context.config.server !== undefined) return listOverServer(context, phase);
        const client = await context.client();
        const listed = await client.list(phase === undefined ? {} : { phase });
        const runs = await listedOnRecord(context, listed);
        context.print({ runs }, listingLines(context.style, runs));
        return 0;
      }),
    );
  verbs.add('show <run>', TEMPORAL_VERBS['show <run>'], 'countersign show launch-7').action(
    verbs.run(async (context, run: string) => {
      const state = await stateOf(context, parseRunId(run));
      context.print(state, stateLines(context.style, state));
      return 0;
    }),
  );
  verbs.add('watch <run>', TEMPORAL_VERBS['watch <run>'], 'countersign watch launch-7').action(
    verbs.run(async (context, run: string) => {
      const runId = parseRunId(run);
      if (context.config.server !== undefined) {
        const state = await follow(context, runOverServer(context, runId));
        context.print(state, []);
        return exitCodeOf(state);
      }
      const client = await context.client();
      const followed = await follow(context, client.run(runId));
      const state = await onRecord(context, followed);
      context.print(state, state === followed ? [] : stateLines(context.style, state));
      return exitCodeOf(state);
    }),
  );
  verbs.add('why <run>', TEMPORAL_VERBS['why <run>'], 'countersign why launch-7').action(
    verbs.run(async (context, run: string) => {
      const state = await stateOf(context, parseRunId(run));
      const waits = nextStep(state);
      const sentence = hasEnded(state)
        ? `It has ended: ${state.phase}, ${state.why}`
        : waits === undefined
          ? `It is ${state.phase} and waits for nobody: ${state.why}`
          : `It is ${state.phase}: ${state.why}`;
      context.print({ runId: state.runId, phase: state.phase, why: state.why, waitsFor: waits }, [
        sentence.replace(/[,:] $/, ''),
        ...waitLines(context.style, state),
      ]);
      return 0;
    }),
  );
};

/** Where a run stands: by the record of the server that is named, else as Temporal says, checked against the record. */
async function stateOf(context: Context, runId: RunId): Promise<RunState> {
  if (context.config.server !== undefined) return runOverServer(context, runId).state();
  const client = await context.client();
  return withSandboxHint(context, await onRecord(context, await client.run(runId).state()));
}

/** A server lists what its caller may see, by the record: which runs have ended, and which have not. */
async function listOverServer(context: Context, phase: string | undefined): Promise<ExitCode> {
  if (phase !== undefined && !ENDS.some((end) => end === phase))
    throw new UsageError({
      what: `--phase ${phase} is not on the record that a server lists`,
      remedy: `Over a server name an end: ${ENDS.join(', ')}`,
    });
  const { api } = await signedIn(context);
  const listed = await api.runs();
  const runs = listed.filter(({ state }) => phase === undefined || state === phase);
  const { style } = context;
  const titles = ['run', 'state', 'domain', 'environment', 'agent', 'admitted'];
  const rows = runs.map((run) =>
    [
      ...[run.runId, run.state, run.domain, run.environment, run.agent],
      `${duration(Date.now() - Date.parse(run.admittedAt))} ago`,
    ].map(visible),
  );
  context.print(
    { runs },
    runs.length === 0
      ? [style.dim('No runs.')]
      : table(
          style,
          titles.map((title) => ({ title })),
          rows,
        ),
  );
  return EXIT.done;
}

function phaseOf(text: string): (typeof PHASES)[number] | (typeof ENDS)[number] {
  const phase = [...PHASES, ...ENDS].find((name) => name === text);
  if (phase !== undefined) return phase;
  throw new UsageError({
    what: `--phase ${JSON.stringify(text.slice(0, 40))} is no phase`,
    remedy: `Name one of ${[...PHASES, ...ENDS].join(', ')}`,
  });
}
