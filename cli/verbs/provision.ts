import { UsageError } from '../../config/errors.js';
import { parseRunId } from '../../domain/ids.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import { EXIT, type ExitCode } from '../explain.js';
import { exitCodeOf, follow } from '../follow.js';
import { runOverServer, signedIn } from '../over-server.js';
import { loadRequest, registered, requireBundle, storeSite } from '../request.js';
import type { LoadedRequest } from '../request.js';
import { fields } from '../style.js';
import { TEMPORAL_VERBS } from '../temporal-verbs.js';

interface ProvisionOptions {
  readonly runId?: string;
  readonly watch?: boolean;
  readonly serviceKey?: string;
}

/** `provision FILE`: starts a run. */
export const registerProvision: Register = (verbs) => {
  verbs
    .add(
      'provision <file>',
      TEMPORAL_VERBS['provision <file>'],
      'countersign provision examples/superseal/request.yaml --run-id launch-7 --watch',
    )
    .option('--run-id <id>', 'its id; the same id with the same request is the same run')
    .option('--watch', 'follow it until it ends')
    .option('--service-key <file>', 'service key to ask with, where no embedded stack runs')
    .action(
      verbs.run((context, file: string, options: ProvisionOptions) =>
        provision(context, file, options),
      ),
    );
};

async function provision(
  context: Context,
  file: string,
  options: ProvisionOptions,
): Promise<ExitCode> {
  // Everything that can be wrong with the call comes out before anything is reached or written.
  const loaded = loadRequest(context, file);
  if (options.runId !== undefined) parseRunId(options.runId);
  if (context.config.server !== undefined) return provisionOverServer(context, loaded, options);
  const client = await context.startingClient(options.serviceKey);
  await requireBundle(context, loaded);
  const request = await registered(context, loaded.request);
  await storeSite(context, loaded);
  const handle = await client.start({
    request,
    ...(options.runId === undefined ? {} : { runId: options.runId }),
  });
  const ui = uiUrl(context, handle.workflowId);
  const { runId, workflowId } = handle;
  if (options.watch === true) {
    context.tell(`Run ${runId}${ui === undefined ? '' : ` (${ui})`}`);
    const state = await follow(context, handle);
    context.print(state, []);
    return exitCodeOf(state);
  }
  context.print({ runId, workflowId, ...(ui === undefined ? {} : { ui }) }, [
    `Started ${context.style.bold(runId)}: ${request.domain.name}, ${request.environment}, up to ${request.budget}`,
    ...fields(
      context.style,
      [
        ['follow it', `countersign watch ${runId}`],
        ['decide', `countersign approve ${runId} --key FILE`],
        ...(ui === undefined ? [] : [['Temporal', ui] as const]),
      ],
      '  ',
    ),
  ]);
  return EXIT.done;
}

/** The token says who asks: the server admits the run for that agent, and has it started. */
async function provisionOverServer(
  context: Context,
  { request, site }: LoadedRequest,
  { runId: wanted, serviceKey, watch }: ProvisionOptions,
): Promise<ExitCode> {
  if (serviceKey !== undefined)
    throw new UsageError({
      what: '--service-key signs for a stack of one’s own, and a server asks for a token',
      remedy: 'Sign in with: countersign login --client ID --secret-file FILE, and leave it out',
    });
  const { api, login } = await signedIn(context);
  if (login.kind !== 'agent')
    throw new UsageError({
      what: `you are signed in as ${login.kind} ${login.id}, and over a server only agents ask for runs`,
      remedy: 'Sign in as one with: countersign login --client ID --secret-file FILE',
    });
  if (site !== undefined) await api.storeSite(site);
  const started = await api.start({
    request,
    ...(wanted === undefined ? {} : { runId: wanted }),
  });
  const runId = parseRunId(started.runId);
  if (watch === true) {
    context.tell(`Run ${runId}`);
    const state = await follow(context, runOverServer(context, runId));
    context.print(state, []);
    return exitCodeOf(state);
  }
  context.print({ runId }, [
    `Started ${context.style.bold(runId)}: ${request.domain.name}, ${request.environment}, up to ${request.budget}`,
    ...fields(context.style, [['follow it', `countersign watch ${runId}`]], '  '),
  ]);
  return EXIT.done;
}

function uiUrl(context: Context, workflowId: string): string | undefined {
  if (context.config.temporal.address !== undefined) return undefined;
  const { temporalUi, namespace } = context.endpoints();
  return temporalUi === undefined
    ? undefined
    : `${temporalUi}/namespaces/${namespace}/workflows/${encodeURIComponent(workflowId)}`;
}
