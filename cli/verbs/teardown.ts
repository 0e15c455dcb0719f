import { UsageError } from '../../config/errors.js';
import { parseRunId } from '../../domain/ids.js';
import { parseRequest, type Request } from '../../domain/request.js';
import { readRun } from '../../store/admissions.js';
import { tornDownBy } from '../../store/teardowns.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import { EXIT, type ExitCode } from '../explain.js';
import { exitCodeOf, follow } from '../follow.js';
import { fields } from '../style.js';
import { TEMPORAL_VERBS } from '../temporal-verbs.js';

interface TeardownOptions {
  readonly runId?: string;
  readonly watch?: boolean;
  readonly serviceKey?: string;
}

/** `teardown RUN`: starts the run that takes down what a completed one made. */
export const registerTeardown: Register = (verbs) => {
  verbs
    .add(
      'teardown <run>',
      TEMPORAL_VERBS['teardown <run>'],
      'countersign teardown launch-7 --run-id launch-7-gone --watch',
    )
    .option('--run-id <id>', 'its own id; the same id for the same run is the same teardown')
    .option('--watch', 'follow it until it ends')
    .option('--service-key <file>', 'service key to ask with, where no embedded stack runs')
    .action(
      verbs.run((context, run: string, options: TeardownOptions) =>
        teardown(context, run, options),
      ),
    );
};

async function teardown(
  context: Context,
  run: string,
  options: TeardownOptions,
): Promise<ExitCode> {
  const torn = parseRunId(run);
  const own = options.runId === undefined ? undefined : parseRunId(options.runId);
  const request = await requestFor(context, torn, own);
  const client = await context.startingClient(options.serviceKey);
  const handle = await client.start({ request, ...(own === undefined ? {} : { runId: own }) });
  const { runId, workflowId } = handle;
  if (options.watch === true) {
    context.tell(`Run ${runId}`);
    const state = await follow(context, handle);
    context.print(state, []);
    return exitCodeOf(state);
  }
  context.print({ runId, workflowId, tearsDown: torn }, [
    `Started ${context.style.bold(runId)}: it takes down what ${torn} made, once people agree`,
    ...fields(
      context.style,
      [
        ['follow it', `countersign watch ${runId}`],
        ['decide', `countersign approve ${runId} --key FILE`],
      ],
      '  ',
    ),
  ]);
  return EXIT.done;
}

/** The run's own request, asked for backwards. @throws UsageError for a run that cannot be torn down */
async function requestFor(
  context: Context,
  torn: string,
  own: string | undefined,
): Promise<Request> {
  const db = await context.database();
  const row = await readRun(db, torn);
  if (row === undefined)
    throw new UsageError({
      what: `no run ${torn} is on record`,
      remedy: 'Name one that `countersign runs --phase completed` lists',
    });
  if (row.tears_down !== null)
    throw new UsageError({
      what: `${torn} is a teardown itself: what it took down is gone`,
      remedy: 'Set it up again with a new run: countersign provision FILE',
    });
  if (row.door !== 'completed')
    throw new UsageError({
      what: `${torn} has not completed: it is ${row.end_phase ?? row.door}`,
      remedy:
        row.end_phase === null
          ? `Stop it instead, and it is taken back: countersign stop --run ${torn} --reason "…"`
          : `Nothing of it stands but what it says itself: countersign show ${torn}`,
    });
  const by = await tornDownBy(db, torn);
  if (by !== undefined && by.runId !== own)
    throw new UsageError({
      what: by.done
        ? `${torn} was torn down by ${by.runId}`
        : `${torn} is being torn down by ${by.runId}`,
      remedy: `See how it stands: countersign show ${by.runId}`,
    });
  return parseRequest({
    ...(JSON.parse(row.request) as Record<string, unknown>),
    goal: `Take ${row.domain} down again: everything that ${torn} made`,
    tearsDown: torn,
  });
}
