import { signDecision, verifyGate, type VerifiedGate } from '../../client/decision.js';
import { NoWorker } from '../../client/errors.js';
import type { RunHandle } from '../../client/run-handle.js';
import type { Terminal } from '../../client/terminal.js';
import { UsageError } from '../../config/errors.js';
import type { DecideMessage } from '../../domain/documents.js';
import { parseRunId } from '../../domain/ids.js';
import { databaseNow } from '../../store/clock.js';
import { openGates, type OpenGateRow } from '../../store/inbox.js';
import { keyOption, ownerOf, unlock } from '../approver.js';
import { renderCard } from '../card.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import { EXIT, type ExitCode } from '../explain.js';
import { refusalWords } from '../refusal-words.js';
import { temporalSignalLine } from '../signal-line.js';
import { styleFor } from '../style.js';
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
    const row = await theGate(context, runId, options.gate);
    const verified = verifyGate(row, await context.instance());
    showCard(context, terminal, verified, row.expires_in_ms);
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
    if (options.print === true) return print(context, verified, message);
    const client = await context.client();
    return await send(context, client.run(runId), message, person.name);
  } finally {
    terminal.close();
  }
}

async function theGate(
  context: Context,
  runId: string,
  gate: string | undefined,
): Promise<OpenGateRow> {
  const open = await openGates(await context.database(), runId);
  const wanted = gate === undefined ? open : open.filter((row) => row.gate === gate);
  const [row, ...others] = wanted;
  if (row === undefined)
    throw new UsageError({
      what: `run ${runId} has no open gate${gate === undefined ? '' : ` ${JSON.stringify(gate)}`}`,
      remedy: `See what it waits for: countersign why ${runId}`,
    });
  if (others.length > 0)
    throw new UsageError({
      what: `run ${runId} has ${wanted.length} open gates: ${wanted.map((one) => one.gate).join(', ')}`,
      remedy: 'Say which with --gate',
    });
  return row;
}

/** The card goes to the person's own terminal: what is seen is what is signed, wherever stdout leads. */
function showCard(
  context: Context,
  terminal: Terminal,
  { gate, card, digest }: VerifiedGate,
  expiresInMs: number,
): void {
  const colour = context.style.bold('x') !== 'x' || context.progressStyle.bold('x') !== 'x';
  const style = styleFor({ columns: terminal.columns, colour });
  terminal.write(`\n${renderCard(style, gate, card, { digest, expiresInMs }).join('\n')}\n`);
}

async function confirm(terminal: Terminal, { card }: VerifiedGate): Promise<void> {
  const words = card.typeToConfirm;
  if (words === undefined) return;
  terminal.write('This cannot be taken back.\n');
  const typed = await terminal.ask(`Type ${words} to go on: `);
  if (typed !== words)
    throw new UsageError({
      what: `what was typed is not ${words}`,
      remedy: 'Nothing was signed; start again and type it letter by letter',
    });
}

function print(context: Context, { gate }: VerifiedGate, message: DecideMessage): ExitCode {
  const command = temporalSignalLine(gate.runId, 'decide', message);
  // stdout is the signal's input file and nothing else.
  context.print({ decision: message, command }, [JSON.stringify(message)]);
  if (!context.json) context.tell(`Send it with: ${command}`);
  return EXIT.done;
}

async function send(
  context: Context,
  handle: RunHandle,
  message: DecideMessage,
  name: string,
): Promise<ExitCode> {
  const done = message.decision === 'approve' ? 'approved' : 'rejected';
  try {
    const verdict = await handle.decideNow(message);
    if (verdict.accepted) {
      context.print({ ...verdict, gateId: message.gateId }, [
        `${context.style.good(`${name} ${done}`)} ${message.gateId}; the gate is ${verdict.gateState}.`,
        context.style.dim(`Follow it: countersign watch ${handle.runId}`),
      ]);
      return EXIT.done;
    }
    context.print({ ...verdict, gateId: message.gateId }, []);
    context.tell(
      `countersign: the decision was not accepted: ${refusalWords(verdict.reason)}. See: countersign why ${handle.runId}`,
    );
    return EXIT.otherwise;
  } catch (error) {
    if (!(error instanceof NoWorker)) throw error;
    await handle.decide(message);
    context.print({ sent: true, gateId: message.gateId }, [
      `${name} ${done} ${message.gateId}. No worker answers now; the signal waits in Temporal.`,
    ]);
    return EXIT.done;
  }
}
