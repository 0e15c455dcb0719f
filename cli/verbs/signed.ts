import { setTimeout as pause } from 'node:timers/promises';
import { signResolve, signResume } from '../../client/decision.js';
import { RunUnknown } from '../../client/errors.js';
import { hasEnded } from '../../client/watch-run.js';
import type { RunHandle } from '../../client/run-handle.js';
import type { RunState } from '../../domain/plan.js';
import { UsageError } from '../../config/errors.js';
import type { ResolveMessage, ResolveStatement, ResumeMessage } from '../../domain/documents.js';
import { parseInstance, parseRunId } from '../../domain/ids.js';
import { STEPS, type StepName } from '../../domain/steps.js';
import { createDoor } from '../../gateway/door.js';
import { liftStop } from '../../gateway/lift-fence.js';
import { orderRepair } from '../../gateway/order-repair.js';
import { databaseNow } from '../../store/clock.js';
import { endsOnRecord, openRunsUnder } from '../../store/overview.js';
import { countPauses } from '../../store/pauses.js';
import { refusalsAfter } from '../../store/refusals.js';
import { stoppedAlone, widerStops } from '../../store/stop-scope.js';
import { keyOption, unlocked } from '../approver.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import { EXIT, Explanation, type ExitCode } from '../explain.js';
import { refusalWords } from '../refusal-words.js';
import { stateLines } from '../run-view.js';
import { scopeOf, type ScopeOptions } from '../scope.js';
import { tellRuns } from '../runtime-layer.js';
import { registerScope, withScope } from './stop.js';
import { TEMPORAL_VERBS } from '../temporal-verbs.js';

interface SignedOptions {
  readonly reason: string;
  readonly key?: string;
}

interface ResolveOptions extends SignedOptions {
  readonly step: string;
  readonly retry?: boolean;
  readonly doneByHand?: boolean;
  readonly giveUp?: boolean;
}

/** `resume`, `resolve`: the ways on that a person signs. */
export const registerSigned: Register = (verbs) => {
  withScope(
    verbs.add(
      'resume',
      TEMPORAL_VERBS.resume,
      'countersign resume --all --reason "new card in place" --key ~/keys/ada.json',
    ),
  )
    .requiredOption('--reason <text>', 'why it is safe now, for the record')
    .option('--key <file>', 'your key file')
    .action(verbs.run(resume));
  verbs
    .add(
      'resolve <run>',
      TEMPORAL_VERBS['resolve <run>'],
      'countersign resolve launch-7 --step start-subscription --done-by-hand --reason "refunded in the dashboard" --key ~/keys/ada.json',
    )
    .requiredOption('--step <step>', `which step: ${STEPS.join(', ')}`)
    .requiredOption('--reason <text>', 'what you know, for the record')
    .option('--retry', 'try the reversal again')
    .option('--done-by-hand', 'it was put back by hand; believed only after reading back')
    .option('--give-up', 'stop trying to take it back; its cost goes into the report')
    .option('--key <file>', 'your key file')
    .action(verbs.run(resolve));
};

async function resume(context: Context, options: SignedOptions & ScopeOptions): Promise<ExitCode> {
  const asked = scopeOf(options);
  const file = keyOption(options, 'countersign resume …');
  const approver = await unlocked(context, file, `This lifts the stop over ${asked}.`);
  const scope = await registerScope(context, asked);
  const message = signResume(
    {
      instance: await context.instance(),
      scope,
      by: approver.personId,
      reason: options.reason,
      at: (await databaseNow(await context.database())).toISOString(),
    },
    approver.key,
  );
  // A run lifts its own fence when the signed message reaches it: it must not act before it knows.
  if (scope.startsWith('run/')) return resumeRun(context, scope.slice('run/'.length), message);
  const missing = await lift(context, message);
  return missing === undefined ? goOn(context, message) : stillStopped(context, scope, missing);
}

/** The word counts, and is not enough by itself. */
function stillStopped(context: Context, scope: string, missing: string): ExitCode {
  context.print({ scope, lifted: false, missing }, [
    `Your word is on record. The stop over ${scope} stands until it is lifted by ${missing} too: countersign resume …`,
  ]);
  return EXIT.otherwise;
}

/** The runs that the lifted stop held get the statement that lifted it: none of them goes on without one. */
async function goOn(context: Context, message: ResumeMessage): Promise<ExitCode> {
  const { scope } = message;
  const alone = await heldAlone(context, scope);
  const runs = await openRunsUnder(await context.database(), scope);
  const told = await tellRuns(
    context,
    runs.filter(({ door, run_id: run }) => door === 'open' && !alone.includes(run)),
    (handle) => handle.resume(message),
  );
  const silent = told.filter(({ fault }) => fault !== undefined);
  context.print({ scope, lifted: true, runs: told, held: alone }, [
    `${context.style.good('Lifted')} the stop over ${scope}.`,
    ...(told.length === 0
      ? []
      : [`Told ${told.length - silent.length} of ${told.length} run(s): what it held goes on.`]),
    ...(await collecting(context)),
    ...silent.map(({ runId, fault }) =>
      context.style.bad(`  ${runId} could not be told: ${fault ?? ''}`),
    ),
    ...(alone.length === 0
      ? []
      : ['Each run was stopped as well, and goes on when it is resumed by itself:']),
    ...[...alone, ...silent.map(({ runId }) => runId)].map(
      (run) => `  countersign resume --run ${run} --reason "…" --key FILE`,
    ),
  ]);
  return silent.length === 0 ? EXIT.done : EXIT.otherwise;
}

/** Runs under the scope that stay held by a stop of their own. */
async function heldAlone(context: Context, scope: string): Promise<readonly string[]> {
  const db = await context.database();
  const runs = (await openRunsUnder(db, scope)).filter(({ door }) => door === 'open');
  return stoppedAlone(
    db,
    runs.map(({ run_id: runId }) => runId),
  );
}

/** Tells a run, and waits until it has lifted its stop or refused to. */
async function resumeRun(
  context: Context,
  runId: string,
  message: ResumeMessage,
): Promise<ExitCode> {
  const db = await context.database();
  const end = (await endsOnRecord(db, [runId])).get(runId);
  // What has ended takes no message; its own stop may still hold its subscription.
  if (
    !['open', 'unwinding', undefined].includes(end) &&
    (await stoppedAlone(db, [runId])).length > 0
  ) {
    const missing = await lift(context, message);
    if (missing !== undefined) return stillStopped(context, message.scope, missing);
    context.print({ scope: message.scope, lifted: true }, [
      `${context.style.good('Lifted')} the stop over ${runId}, which had ended: ${end ?? ''}.`,
      ...(await collecting(context)),
    ]);
    return EXIT.done;
  }
  const handle = (await context.client()).run(runId);
  const before = await handle.state();
  if (hasEnded(before))
    throw new UsageError({
      what: `run ${runId} has ended: ${before.phase}`,
      remedy: 'Start another one with: countersign provision',
    });
  const wider = await widerStops(db, runId);
  if (wider.length > 0)
    throw new UsageError({
      what: `run ${runId} stands under a wider stop too: ${wider.join(', ')}`,
      remedy: 'Lift that one first; see: countersign status',
    });
  const refused = await refusals(context, runId, 'resume');
  await handle.resume(message);
  const lifted = await answered(refused, async () =>
    (await stoppedAlone(db, [runId])).length === 0 ? true : undefined,
  );
  context.print({ scope: message.scope, lifted: lifted === true }, [
    lifted === true
      ? `Run ${runId} ${context.style.good('goes on')}. Follow it: countersign watch ${runId}`
      : `Run ${runId} was told, and has not answered yet. See: countersign show ${runId}`,
  ]);
  return lifted === true ? EXIT.done : EXIT.otherwise;
}

/** What a stop had paused is asked to run again by the workers. */
async function collecting(context: Context): Promise<readonly string[]> {
  const { moving } = await countPauses(await context.database());
  return moving === 0
    ? []
    : [`${moving} subscription(s) are about to collect again; what is left: countersign status`];
}

/**
 * Checks the signature against the register and lifts the fence. Answers whose words are missing besides; undefined: it
 * is lifted. @throws UsageError when the word does not count
 */
async function lift(context: Context, message: ResumeMessage): Promise<string | undefined> {
  const db = await context.database();
  const instance = parseInstance(await context.instance());
  const answer = await liftStop(
    { db, door: createDoor(db), instance, trust: context.trust() },
    message,
  );
  if (answer.lifted) return undefined;
  if (answer.missing !== undefined) return answer.missing;
  throw new UsageError({
    what: `the stop over ${message.scope} was not lifted: ${refusalWords(answer.reason)}`,
    remedy:
      'See what is stopped, and by whom it can be lifted: countersign status, countersign people',
  });
}

async function resolve(context: Context, run: string, options: ResolveOptions): Promise<ExitCode> {
  const runId = parseRunId(run);
  const step = stepOf(options.step);
  const action = actionOf(options);
  const file = keyOption(options, `countersign resolve ${run} …`);
  const handle = (await context.client()).run(runId);
  const before = await stateUnlessLost(handle);
  const adrift = before === undefined;
  if (before !== undefined && before.phase !== 'stuck')
    throw new UsageError({
      what: `run ${runId} is not stuck: it is ${before.phase}`,
      remedy: `See what it waits for: countersign why ${runId}`,
    });
  const approver = await unlocked(context, file, `${runId}, ${step}: ${WORDS[action]}.`);
  const message = signResolve(
    {
      instance: await context.instance(),
      runId,
      step,
      action,
      by: approver.personId,
      reason: options.reason,
      at: (await databaseNow(await context.database())).toISOString(),
    },
    approver.key,
  );
  if (adrift) return orderedRepair(context, message);
  const refused = await refusals(context, runId, 'resolve');
  await handle.resolve(message);
  const state =
    (await answered(refused, async () => {
      const now = await handle.state();
      return now.phase !== 'stuck' || now.why !== before.why ? now : undefined;
    })) ?? (await handle.state());
  context.print(state, stateLines(context.style, state));
  return state.phase === 'stuck' ? EXIT.otherwise : EXIT.done;
}

/** Undefined when no workflow listens for the run any more: Temporal has ended it in its midst, or has lost it. */
async function stateUnlessLost(handle: RunHandle): Promise<RunState | undefined> {
  try {
    const { status } = await handle.describe();
    const state = await handle.state();
    const open = status === 'RUNNING' || status === 'PAUSED';
    return open || state.phase !== 'unwinding' ? state : undefined;
  } catch (error) {
    if (error instanceof RunUnknown) return undefined;
    throw error;
  }
}

async function orderedRepair(context: Context, message: ResolveMessage): Promise<ExitCode> {
  const parts = {
    db: await context.database(),
    instance: parseInstance(await context.instance()),
    trust: context.trust(),
  };
  const { runId } = message;
  const verdict = await orderRepair(parts, message);
  if (!verdict.accepted)
    throw new Explanation({
      message: `the resolve of ${runId} did not count: ${refusalWords(verdict.reason)}. Nothing was changed.`,
      exitCode: EXIT.otherwise,
      code: 'REFUSED',
    });
  context.print({ runId, ordered: true }, [
    `Recorded. The next sweep of a worker, within a minute, takes ${runId} back. Follow it: countersign watch ${runId}`,
  ]);
  return EXIT.done;
}

const WORDS = {
  retry: 'the reversal is tried again',
  'done-by-hand': 'you say that it was put back by hand; this is read back before it is believed',
  'give-up':
    'nothing more is tried to take it back, and its cost is named in the report; a subscription ends with its customer all the same',
} as const satisfies Record<ResolveStatement['action'], string>;

function stepOf(text: string): StepName {
  const step = STEPS.find((name) => name === text);
  if (step !== undefined) return step;
  throw new UsageError({
    what: `--step ${JSON.stringify(text.slice(0, 60))} is no step`,
    remedy: `Name one of ${STEPS.join(', ')}`,
  });
}

function actionOf(options: ResolveOptions): ResolveStatement['action'] {
  const given = [
    ...(options.retry === true ? (['retry'] as const) : []),
    ...(options.doneByHand === true ? (['done-by-hand'] as const) : []),
    ...(options.giveUp === true ? (['give-up'] as const) : []),
  ];
  const [action, ...others] = given;
  if (action !== undefined && others.length === 0) return action;
  throw new UsageError({
    what: 'a stuck step is resolved in exactly one way',
    remedy: 'Give one of --retry, --done-by-hand or --give-up',
  });
}

const ANSWER_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 300;

/** What the record refuses to a run from now on, under one name. @throws Explanation with the reason */
async function refusals(
  context: Context,
  runId: string,
  asked: 'resume' | 'resolve',
): Promise<() => Promise<void>> {
  const db = await context.database();
  const known = await refusalsAfter(db, { runId, asked, after: 0 });
  const after = known.at(-1)?.id ?? 0;
  return async () => {
    const [refused] = await refusalsAfter(db, { runId, asked, after });
    if (refused === undefined) return;
    const waits = refused.reason === 'words-missing';
    throw new Explanation({
      message: waits
        ? `${runId} stays stopped: your word is on record, and it is to be lifted by ${refused.detail} too`
        : `the ${asked} of ${runId} did not count: ${refusalWords(refused.reason)}. Nothing was changed.`,
      exitCode: EXIT.otherwise,
      code: 'REFUSED',
    });
  };
}

/** A signal has no answer: record and run are watched for a while. Undefined: neither has moved. */
async function answered<T>(
  refused: () => Promise<void>,
  look: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const deadline = performance.now() + ANSWER_WITHIN_MS;
  for (;;) {
    const answer = await look();
    if (answer !== undefined) return answer;
    await refused();
    if (performance.now() > deadline) return undefined;
    await pause(LOOK_EVERY_MS);
  }
}
