import { visible } from '../../domain/untrusted.js';
import { openGates, runsAtRest, type RunAtRest } from '../../store/inbox.js';
import type { Register } from '../cli.js';
import type { Context } from '../context.js';
import { EXIT, type ExitCode } from '../explain.js';
import { duration, table, type Style } from '../style.js';

/** `inbox`: reads the record alone. */
export const registerInbox: Register = (verbs) => {
  verbs
    .add('inbox', 'Lists what waits for a decision', 'countersign inbox')
    .action(verbs.run(inbox));
};

async function inbox(context: Context): Promise<ExitCode> {
  const db = await context.database();
  const gates = await openGates(db);
  const resting = await runsAtRest(db);
  const { style } = context;
  const shown = gates.map((row) => ({
    gateId: row.gate_id,
    runId: row.run_id,
    gate: row.gate,
    revision: row.revision,
    domain: row.domain,
    agent: row.agent,
    environment: row.environment,
    digest: row.digest,
    expiresInMs: row.expires_in_ms,
  }));
  const rows = shown.map((row) => [
    row.runId,
    row.revision > 1 ? `${row.gate} (revision ${row.revision})` : row.gate,
    row.domain,
    row.environment,
    row.agent,
    row.expiresInMs <= 0 ? style.bad('expired') : duration(row.expiresInMs),
  ]);
  const titles = ['run', 'gate', 'domain', 'environment', 'agent', 'expires in'];
  context.print({ gates: shown, runs: resting }, [
    ...(rows.length === 0
      ? [style.dim('Nothing waits for a decision.')]
      : [
          ...table(
            style,
            titles.map((title) => ({ title })),
            rows,
          ),
          '',
          style.dim('Read one and decide: countersign approve RUN --key FILE'),
        ]),
    ...restingLines(style, resting),
  ]);
  return EXIT.done;
}

/** Whether a run that is taken back still moves is known to Temporal alone: `why` asks there, and names the command. */
function restingLines(style: Style, runs: readonly RunAtRest[]): readonly string[] {
  if (runs.length === 0) return [];
  const titles = ['run', 'state', 'step', 'why'];
  return [
    '',
    ...table(
      style,
      titles.map((title) => ({ title })),
      runs.map(({ runId, state, step, why }) => [
        runId,
        style.warn(STATES[state]),
        step ?? '',
        visible(why),
      ]),
    ),
    '',
    style.dim('What one of these waits for, and the exact next command: countersign why RUN'),
  ];
}

const STATES = { stopped: 'stopped', 'taken-back': 'being taken back, or stuck' } as const;
