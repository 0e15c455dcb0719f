import type { RunState } from '../domain/plan.js';
import { ENDS } from '../domain/steps.js';
import { RunUnknown } from './errors.js';
import { ServerRefused } from './http/errors.js';

export interface WatchOptions {
  /** How often to ask, in ms. */
  readonly everyMs?: number;
  readonly signal?: AbortSignal;
  /** Called when a question got no answer; asking goes on. */
  readonly onTrouble?: (message: string) => void;
}

const WATCH_EVERY_MS = 400;

/** Asks for a run's state again and again until it ends; whoever answers. Refusals are thrown, silence is waited out. */
export async function watchBy(
  of: {
    readonly state: () => Promise<RunState>;
    readonly onChange: (state: RunState) => void;
  },
  options: WatchOptions,
): Promise<RunState> {
  let last = '';
  const tell = (state: RunState): RunState => {
    const shown = fingerprint(state);
    if (shown !== last) of.onChange(state);
    last = shown;
    return state;
  };
  for (;;) {
    options.signal?.throwIfAborted();
    const state = await of.state().catch((error: unknown) => {
      if (error instanceof RunUnknown || isRefusal(error)) throw error;
      options.onTrouble?.(error instanceof Error ? error.message : String(error));
      return undefined;
    });
    if (state !== undefined) {
      tell(state);
      if (hasEnded(state)) return state;
    }
    await pause(options.everyMs ?? WATCH_EVERY_MS, options.signal);
  }
}

/** A server that has answered will answer the same again, unless the fault is its own. */
const isRefusal = (error: unknown): boolean => error instanceof ServerRefused && error.status < 500;

/** What counts as a change: not the seconds that tick away at an open gate. */
function fingerprint(state: RunState): string {
  return JSON.stringify(state, (name, value: unknown) =>
    name === 'expiresInMs' ? undefined : value,
  );
}

/** Has the run ended, one way or another? */
export function hasEnded(state: RunState): boolean {
  return ENDS.some((end) => end === state.phase);
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
    };
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
