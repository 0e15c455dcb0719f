import { signBreakGlass } from '../../client/decision.js';
import { UsageError } from '../../config/errors.js';
import { breakGlassReason } from '../../domain/break-glass-documents.js';
import { parseRunId } from '../../domain/ids.js';
import { databaseNow } from '../../store/clock.js';
import { keyOption, ownerOf, unlock } from '../approver.js';
import { gateToDecide, printWord, sendWord, showCard, typed } from '../at-gate.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import type { ExitCode } from '../explain.js';
import { TEMPORAL_VERBS } from '../temporal-verbs.js';

interface GlassOptions {
  readonly reason: string;
  readonly minutes: string;
  readonly key?: string;
  readonly gate?: string;
  readonly print?: boolean;
}

const MINUTES_MAX = 60;

/** `break-glass`: one named person passes one gate alone, for some minutes. */
export const registerBreakGlass: Register = (verbs) => {
  verbs
    .add(
      'break-glass <run>',
      TEMPORAL_VERBS['break-glass <run>'],
      'countersign break-glass launch-7 --reason "the shop is down, nobody answers" --minutes 15 --key ~/keys/ada.json',
    )
    .requiredOption('--reason <text>', 'why; whoever reviews it has nothing else')
    .requiredOption('--minutes <n>', `how long it may be used: 1 to ${MINUTES_MAX}`)
    .option('--key <file>', 'your key file; production asks for a passkey, and takes none')
    .option('--gate <gate>', 'which gate, if the run has several open: plan or register-domain')
    .option('--print', 'print the signed word and the Temporal command instead of sending it')
    .action(verbs.run(breakGlass));
};

async function breakGlass(context: Context, run: string, options: GlassOptions): Promise<ExitCode> {
  const runId = parseRunId(run);
  const minutes = minutesOf(options.minutes);
  const reason = reasonOf(options.reason);
  const file = keyOption(options, `countersign break-glass ${run}`);
  const terminal = context.io.openTerminal();
  try {
    const person = await ownerOf(context, file);
    const { verified, expiresInMs } = await gateToDecide(context, runId, options.gate);
    if (verified.gate.environment === 'production')
      throw new UsageError({
        what: 'in production a passkey breaks the glass, and no key file does',
        remedy: 'Sign it with a passkey, by the HTTP API; nothing was signed',
      });
    showCard(context, terminal, verified, expiresInMs);
    terminal.write(
      `You alone would pass this gate, for ${minutes} min. Caps, stops and denials hold as before; ` +
        'another person reviews it afterwards, and nobody breaks the glass for another run until then.\n',
    );
    await typed(terminal, verified.card.typeToConfirm ?? runId);
    const key = await unlock(context, terminal, file);
    const now = await databaseNow(await context.database());
    const message = signBreakGlass(
      verified,
      {
        approver: person.personId,
        decidedAt: now.toISOString(),
        expiresAt: new Date(now.getTime() + minutes * 60_000).toISOString(),
        reason,
      },
      key,
    );
    if (options.print === true) return printWord(context, verified, message);
    const client = await context.client();
    return await sendWord(context, client.run(runId), message, `${person.name} broke the glass at`);
  } finally {
    terminal.close();
  }
}

function minutesOf(text: string): number {
  const minutes = /^[1-9]\d?$/.test(text) ? Number(text) : 0;
  if (minutes >= 1 && minutes <= MINUTES_MAX) return minutes;
  throw new UsageError({
    what: `--minutes ${JSON.stringify(text)} is no whole number from 1 to ${MINUTES_MAX}`,
    remedy: 'Say as few as will do; the policy may allow fewer still',
  });
}

function reasonOf(text: string): string {
  const parsed = breakGlassReason.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new UsageError({
    what: `--reason does not do: ${parsed.error.issues[0]?.message ?? 'it cannot be read'}`,
    remedy: 'Write one line for whoever reviews it: what is wrong, and why nobody else can approve',
  });
}
