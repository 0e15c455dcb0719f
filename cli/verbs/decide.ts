import { signDecision } from '../../client/decision.js';
import { UsageError } from '../../config/errors.js';
import { parseRunId } from '../../domain/ids.js';
import type { RunId } from '../../domain/ids.js';
import { keyOption, unlock } from '../approver.js';
import { confirm, printWord, showCard } from '../at-gate.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import type { ExitCode } from '../explain.js';
import { gateRoad, sendOverServer } from '../gate-roads.js';
import { TEMPORAL_VERBS } from '../temporal-verbs.js';

interface DecideOptions {
  readonly key?: string;
  readonly gate?: string;
  readonly reason?: string;
  readonly print?: boolean;
}

/** `approve`, `reject`. */
export const registerDecide: Register = (verbs) => {
  verbs
    .add(
      'approve <run>',
      TEMPORAL_VERBS['approve <run>'],
      'countersign approve launch-7 --key ~/keys/ada.json',
    )
    .option('--key <file>', 'your key file')
    .option('--gate <gate>', 'which gate, if the run has several open: plan or register-domain')
    .option('--print', 'print the signed decision and the Temporal command instead of sending it')
    .action(
      verbs.run((context, runId: string, options: DecideOptions) =>
        decide(context, runId, 'approve', options),
      ),
    );
  verbs
    .add(
      'reject <run>',
      TEMPORAL_VERBS['reject <run>'],
      'countersign reject launch-7 --reason "not this month" --key ~/keys/ada.json',
    )
    .requiredOption('--reason <text>', 'why; the requester reads it')
    .option('--key <file>', 'your key file')
    .option('--gate <gate>', 'which gate, if the run has several open')
    .option('--print', 'print the signed decision and the Temporal command instead of sending it')
    .action(
      verbs.run((context, runId: string, options: DecideOptions) =>
        decide(context, runId, 'reject', options),
      ),
    );
};

async function decide(
  context: Context,
  run: string,
  decision: 'approve' | 'reject',
  options: DecideOptions,
): Promise<ExitCode> {
  const runId = parseRunId(run);
  if (decision === 'reject' && options.key === undefined && context.config.server !== undefined)
    return rejectUnsigned(context, runId, options);
  const file = keyOption(options, `countersign ${decision} ${run}`);
  // Before anything is asked of the person: is there somebody to ask, and something to decide?
  const terminal = context.io.openTerminal();
  try {
    const road = gateRoad(context);
    const person = await road.approver(file);
    const { verified, expiresInMs } = await road.gate(runId, options.gate);
    showCard(context, terminal, verified, expiresInMs);
    if (decision === 'approve') await confirm(terminal, verified);
    const key = await unlock(context, terminal, file);
    const message = signDecision(
      verified,
      {
        decision,
        approver: person.personId,
        surface: options.print === true ? 'offline' : 'cli',
        decidedAt: (await road.now()).toISOString(),
        ...(options.reason === undefined ? {} : { reason: options.reason }),
      },
      key,
    );
    if (options.print === true) return printWord(context, verified, message);
    const done = decision === 'approve' ? 'approved' : 'rejected';
    return await road.send(runId, message, `${person.name} ${done}`);
  } finally {
    terminal.close();
  }
}

/** A person who has signed in at a server says no without a key. There is no such way to say yes. */
async function rejectUnsigned(
  context: Context,
  runId: RunId,
  { gate, reason = '', print }: DecideOptions,
): Promise<ExitCode> {
  if (print === true)
    throw new UsageError({
      what: 'without --key there is no signed decision that could be printed',
      remedy: 'Add --key FILE, or leave --print out',
    });
  const terminal = context.io.openTerminal();
  try {
    const { verified, expiresInMs } = await gateRoad(context).gate(runId, gate);
    showCard(context, terminal, verified, expiresInMs);
    const word = {
      ...{ gateId: verified.gate.gateId, actionDigest: verified.digest },
      ...{ decision: 'reject' as const, reason },
    };
    return await sendOverServer(context, { runId, word, said: 'rejected' });
  } finally {
    terminal.close();
  }
}
