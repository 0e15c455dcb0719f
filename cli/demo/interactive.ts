import type { RunHandle } from '../../client/run-handle.js';
import type { RunState } from '../../domain/plan.js';
import { renderCard } from '../card.js';
import type { Context } from '../context.js';
import { EXIT, type ExitCode } from '../explain.js';
import { styleFor } from '../style.js';
import type { Stage } from './stage.js';
import { expectLive } from './verdict.js';

const RUN = { runId: 'demo-you', domain: 'superseal.club' } as const;

/** The first story, with the reader as the approver: shows each card and asks at the keyboard. */
export async function playInteractive(context: Context, stage: Stage): Promise<ExitCode> {
  const terminal = context.io.openTerminal();
  try {
    const { temporalUi } = stage.stack.endpoints;
    if (temporalUi !== undefined) terminal.write(`Temporal UI: ${temporalUi}\n`);
    const handle = await stage.start(RUN);
    for (const gate of ['plan', 'register-domain']) {
      const shown = await stage.gate(RUN.runId, gate);
      const style = styleFor({ columns: terminal.columns, colour: context.io.errIsTerminal });
      const lines = renderCard(style, shown.gate, shown.card, {
        digest: shown.digest,
        expiresInMs: Date.parse(shown.gate.expiresAt) - Date.parse(shown.gate.openedAt),
      });
      terminal.write(`\n${lines.join('\n')}\n\n`);
      const wanted = shown.card.typeToConfirm ?? 'approve';
      const typed = await terminal.ask(`Type ${wanted} to approve, anything else to reject: `);
      if (typed !== wanted) return await refused(stage, handle, gate, terminal);
      await stage.approve(RUN.runId, gate);
    }
    const state = await stage.ended(handle);
    await expectLive(stage, RUN);
    const edge = stage.stack.endpoints.sandbox?.edgeUrl ?? '';
    context.print(state, [`${RUN.domain} is live. See it: curl -H 'Host: ${RUN.domain}' ${edge}/`]);
    await terminal.ask('Press Enter to end the demo; everything it made goes with it. ');
    return EXIT.done;
  } finally {
    terminal.close();
  }
}

async function refused(
  stage: Stage,
  handle: RunHandle,
  gate: string,
  terminal: { write(text: string): void },
): Promise<ExitCode> {
  await stage.reject(RUN.runId, gate, 'the reader said no');
  const state: RunState = await stage.ended(handle);
  terminal.write(`The run ended ${state.phase}: ${state.why}\n`);
  return EXIT.otherwise;
}
