import { UsageError } from '../../config/errors.js';
import { hasEnded } from '../../client/run-handle.js';
import { parseRunId } from '../../domain/ids.js';
import { ENDS, PHASES } from '../../domain/steps.js';
import type { Register } from '../cli.js';
import { exitCodeOf, follow } from '../follow.js';
import { listedOnRecord, onRecord } from '../on-record.js';
import { withSandboxHint } from '../sandbox-hint.js';
import { listingLines, nextStep, stateLines, waitLines } from '../run-view.js';
import { TEMPORAL_VERBS } from '../temporal-verbs.js';

/** `runs`, `show`, `watch`, `why`: reading only. */
export const registerRuns: Register = (verbs) => {
  verbs
    .add('runs', TEMPORAL_VERBS.runs, 'countersign runs --phase awaiting-approval')
    .option('--phase <phase>', `only those in one phase: ${[...PHASES, ...ENDS].join(', ')}`)
    .action(
      verbs.run(async (context, options: { readonly phase?: string }) => {
        const phase = options.phase === undefined ? undefined : phaseOf(options.phase);
        const client = await context.client();
        const listed = await client.list(phase === undefined ? {} : { phase });
        const runs = await listedOnRecord(context, listed);
        context.print({ runs }, listingLines(context.style, runs));
        return 0;
      }),
    );
  verbs.add('show <run>', TEMPORAL_VERBS['show <run>'], 'countersign show launch-7').action(
    verbs.run(async (context, run: string) => {
      const runId = parseRunId(run);
      const client = await context.client();
      const state = withSandboxHint(
        context,
        await onRecord(context, await client.run(runId).state()),
      );
      context.print(state, stateLines(context.style, state));
      return 0;
    }),
  );
  verbs.add('watch <run>', TEMPORAL_VERBS['watch <run>'], 'countersign watch launch-7').action(
    verbs.run(async (context, run: string) => {
      const runId = parseRunId(run);
      const client = await context.client();
      const followed = await follow(context, client.run(runId));
      const state = await onRecord(context, followed);
      context.print(state, state === followed ? [] : stateLines(context.style, state));
      return exitCodeOf(state);
    }),
  );
  verbs.add('why <run>', TEMPORAL_VERBS['why <run>'], 'countersign why launch-7').action(
    verbs.run(async (context, run: string) => {
      const runId = parseRunId(run);
      const client = await context.client();
      const state = withSandboxHint(
        context,
        await onRecord(context, await client.run(runId).state()),
      );
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

function phaseOf(text: string): (typeof PHASES)[number] | (typeof ENDS)[number] {
  const phase = [...PHASES, ...ENDS].find((name) => name === text);
  if (phase !== undefined) return phase;
  throw new UsageError({
    what: `--phase ${JSON.stringify(text.slice(0, 40))} is no phase`,
    remedy: `Name one of ${[...PHASES, ...ENDS].join(', ')}`,
  });
}
