import { signDecision, verifyGate } from '../../client/decision.js';
import { UsageError } from '../../config/errors.js';
import { parseRunId } from '../../domain/ids.js';
import { recordDecision } from '../../gateway/decisions.js';
import { databaseNow } from '../../store/clock.js';
import { approvedBy } from '../../store/decision-rows.js';
import { keyOption, ownerOf, unlock } from '../approver.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import { EXIT, type ExitCode } from '../explain.js';
import { refusalWords } from '../refusal-words.js';
import { ceremonyOf } from '../ceremony.js';

interface WithdrawOptions {
  readonly key?: string;
  readonly gate?: string;
  readonly reason?: string;
}

/** `withdraw`: takes one's own approve back, until an effect has used it. It acts when it is recorded. */
export const registerWithdraw: Register = (verbs) => {
  verbs
    .add(
      'withdraw <run>',
      'Takes your approval back, until an effect has used it; signed',
      'countersign withdraw launch-7 --key ~/keys/ada.json',
    )
    .option('--key <file>', 'your key file')
    .option('--gate <gate>', 'which gate, if you approved at several: plan or register-domain')
    .option('--reason <text>', 'why, for the record')
    .action(verbs.run(withdraw));
};

async function withdraw(
  context: Context,
  run: string,
  options: WithdrawOptions,
): Promise<ExitCode> {
  const runId = parseRunId(run);
  const file = keyOption(options, `countersign withdraw ${run}`);
  const terminal = context.io.openTerminal();
  try {
    const { personId } = await ownerOf(context, file);
    const db = await context.database();
    const gates = (await approvedBy(db, runId, personId)).filter(
      ({ gate }) => options.gate === undefined || gate === options.gate,
    );
    const [gate, ...others] = gates;
    if (gate === undefined || others.length > 0)
      throw new UsageError(
        gate === undefined
          ? {
              what: `no open or granted gate of ${runId} has an approval of ${personId}`,
              remedy: `See what it waits for: countersign why ${runId}`,
            }
          : {
              what: `${personId} has approved at several gates: ${gates.map((one) => one.gate).join(', ')}`,
              remedy: 'Say which with --gate',
            },
      );
    terminal.write(`${personId} takes the approval of ${gate.gate_id} back.\n`);
    const key = await unlock(context, terminal, file);
    const message = signDecision(
      verifyGate(gate, await context.instance()),
      {
        decision: 'withdraw',
        approver: personId,
        surface: 'cli',
        decidedAt: (await databaseNow(db)).toISOString(),
        ...(options.reason === undefined ? {} : { reason: options.reason }),
      },
      key,
    );
    const verdict = await recordDecision(await ceremonyOf(context), runId, message, 'cli');
    context.print(
      { ...verdict, gateId: gate.gate_id },
      verdict.accepted
        ? [`Withdrawn from ${gate.gate_id}; the gate is ${verdict.gateState}.`]
        : [`Not withdrawn: ${refusalWords(verdict.reason)}.`],
    );
    return verdict.accepted ? EXIT.done : EXIT.otherwise;
  } finally {
    terminal.close();
  }
}
