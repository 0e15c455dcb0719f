import type { RunHandle } from '../client/run-handle.js';
import type { RunState } from '../domain/plan.js';
import type { Context } from './context.js';
import { EXIT, type ExitCode } from './explain.js';
import { withSandboxHint } from './sandbox-hint.js';
import { coloured, nextStep, restsNow, stateLines, stepLine } from './run-view.js';
import { visible } from '../domain/untrusted.js';

/**
 * Follows a run until it ends or rests (stuck, held): a block that is redrawn on a terminal, else one plain line
 * for each change. Both on stderr; the last state is the result.
 */
export async function follow(
  context: Context,
  handle: Pick<RunHandle, 'watch'>,
): Promise<RunState> {
  const draw = context.io.errIsTerminal && !context.json ? redrawing(context) : lineByLine(context);
  let troubled = false;
  let rested: RunState | undefined;
  const resting = new AbortController();
  const signal = AbortSignal.any([context.io.interrupted, resting.signal]);
  try {
    return await handle.watch(
      (state) => {
        troubled = false;
        draw(withSandboxHint(context, state));
        if (!restsNow(state)) return;
        rested = state;
        resting.abort(new Error('interrupted'));
      },
      {
        signal,
        onTrouble: (message) => {
          if (!troubled) context.tell(context.progressStyle.warn(`  ${message}; waiting`));
          troubled = true;
        },
      },
    );
  } catch (error) {
    if (rested !== undefined) return rested;
    throw error;
  }
}

/** 0 when it completed, 1 for every other end or rest. */
export function exitCodeOf(state: RunState): ExitCode {
  return state.phase === 'completed' ? EXIT.done : EXIT.otherwise;
}

type Draw = (state: RunState) => void;

const UP_AND_CLEAR = (lines: number): string => (lines === 0 ? '' : `\u001b[${lines}A\u001b[J`);

function redrawing({ io, progressStyle: style }: Context): Draw {
  let drawn = 0;
  return (state) => {
    // A line that wraps would be counted once and drawn twice: cut to the width.
    const lines = stateLines(style, state).map((line) => cut(line, io.columns));
    io.err(`${UP_AND_CLEAR(drawn)}${lines.join('\n')}\n`);
    drawn = lines.length;
  };
}

function cut(line: string, columns: number): string {
  let width = 0;
  let out = '';
  for (const [part] of line.matchAll(/\u001b\[[0-9;]*m|./gsu)) {
    const isColour = part.startsWith('\u001b');
    if (!isColour && width >= columns - 1) continue;
    out += part;
    if (!isColour) width += 1;
  }
  return out;
}

function lineByLine({ tell, progressStyle: style }: Context): Draw {
  let before: RunState | undefined;
  return (state) => {
    if (before?.phase !== state.phase || before.why !== state.why)
      tell(
        `${time(style)}${coloured(style, state.phase)}${state.why === '' ? '' : `: ${visible(state.why)}`}`,
      );
    for (const step of state.steps) {
      const former = before?.steps.find(({ step: name }) => name === step.step);
      const changed = former?.outcome !== step.outcome || former.note !== step.note;
      if (changed && step.outcome !== 'pending')
        tell(`${time(style)}${stepLine(style, step, state.currency).trimStart()}`);
    }
    const waits = nextStep(state);
    if (waits !== undefined && waits.command !== nextCommand(before))
      tell(`${time(style)}waits for ${visible(waits.what)}: ${style.accent(waits.command)}`);
    before = state;
  };
}

function nextCommand(state: RunState | undefined): string | undefined {
  return state === undefined ? undefined : nextStep(state)?.command;
}

function time(style: Context['progressStyle']): string {
  return style.dim(`${new Date().toTimeString().slice(0, 8)}  `);
}
