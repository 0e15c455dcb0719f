import { signDecision } from '../../client/decision.js';
import { parseRunId } from '../../domain/ids.js';
import { databaseNow } from '../../store/clock.js';
import { keyOption, ownerOf, unlock } from '../approver.js';
import { confirm, gateToDecide, printWord, sendWord, showCard } from '../at-gate.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import type { ExitCode } from '../explain.js';
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
  const file = keyOption(options, `countersign ${decision} ${run}`);
  // Before anything is asked of the person: is there somebody to ask, and something to decide?
  const terminal = context.io.openTerminal();
  try {
    const person = await ownerOf(context, file);
    const { verified, expiresInMs } = await gateToDecide(context, runId, options.gate);
    showCard(context, terminal, verified, expiresInMs);
    if (decision === 'approve') await confirm(terminal, verified);
    const key = await unlock(context, terminal, file);
    const message = signDecision(
      verified,
      {
        decision,
        approver: person.personId,
        surface: options.print === true ? 'offline' : 'cli',
        decidedAt: (await databaseNow(await context.database())).toISOString(),
        ...(options.reason === undefined ? {} : { reason: options.reason }),
      },
      key,
    );
    if (options.print === true) return printWord(context, verified, message);
    const client = await context.client();
    const done = decision === 'approve' ? 'approved' : 'rejected';
    return await sendWord(context, client.run(runId), message, `${person.name} ${done}`);
  } finally {
    terminal.close();
  }
}
