import { verifyGate, type VerifiedGate } from '../client/decision.js';
import { NoWorker } from '../client/errors.js';
import type { RunHandle } from '../client/run-handle.js';
import type { Terminal } from '../client/terminal.js';
import { UsageError } from '../config/errors.js';
import type { GateWord } from '../domain/break-glass-documents.js';
import { openGates, type OpenGateRow } from '../store/inbox.js';
import { renderCard } from './card.js';
import type { Context } from './context.js';
import { EXIT, type ExitCode } from './explain.js';
import { refusalWords } from './refusal-words.js';
import { temporalSignalLine } from './signal-line.js';
import { styleFor } from './style.js';

/** An open gate of a run, verified, with its time left in ms. @throws UsageError, GateNotTrue */
export async function gateToDecide(
  context: Context,
  runId: string,
  gate: string | undefined,
): Promise<{ readonly verified: VerifiedGate; readonly expiresInMs: number }> {
  const row = await theGate(context, runId, gate);
  return {
    verified: verifyGate(row, await context.instance()),
    expiresInMs: row.expires_in_ms,
  };
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
export function showCard(
  context: Context,
  terminal: Terminal,
  { gate, card, digest }: VerifiedGate,
  expiresInMs: number,
): void {
  const colour = context.style.bold('x') !== 'x' || context.progressStyle.bold('x') !== 'x';
  const style = styleFor({ columns: terminal.columns, colour });
  terminal.write(`\n${renderCard(style, gate, card, { digest, expiresInMs }).join('\n')}\n`);
}

/** What cannot be taken back is typed letter by letter. @throws UsageError */
export async function confirm(terminal: Terminal, { card }: VerifiedGate): Promise<void> {
  const words = card.typeToConfirm;
  if (words === undefined) return;
  terminal.write('This cannot be taken back.\n');
  await typed(terminal, words);
}

/** Asks for a word, letter by letter. @throws UsageError */
export async function typed(terminal: Terminal, words: string): Promise<void> {
  const answer = await terminal.ask(`Type ${words} to go on: `);
  if (answer !== words)
    throw new UsageError({
      what: `what was typed is not ${words}`,
      remedy: 'Nothing was signed; start again and type it letter by letter',
    });
}

/** Prints a signed word for `temporal workflow signal`, in place of sending it. */
export function printWord(context: Context, { gate }: VerifiedGate, message: GateWord): ExitCode {
  const command = temporalSignalLine(gate.runId, 'decide', message);
  // stdout is the signal's input file and nothing else.
  context.print({ decision: message, command }, [JSON.stringify(message)]);
  if (!context.json) context.tell(`Send it with: ${command}`);
  return EXIT.done;
}

/** Sends a signed word to its run and says what became of it; `said` is e.g. "Ada approved". */
export async function sendWord(
  context: Context,
  handle: RunHandle,
  message: GateWord,
  said: string,
): Promise<ExitCode> {
  try {
    const verdict = await handle.decideNow(message);
    if (verdict.accepted) {
      context.print({ ...verdict, gateId: message.gateId }, [
        `${context.style.good(said)} ${message.gateId}; the gate is ${verdict.gateState}.`,
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
      `${said} ${message.gateId}. No worker answers now; the signal waits in Temporal.`,
    ]);
    return EXIT.done;
  }
}
