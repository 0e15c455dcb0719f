import type { Logger } from 'pino';
import { dispatchNotices, type Dispatching } from '../gateway/notice-dispatch.js';

/** How often a worker looks whether anybody has to be told anything, in ms. */
export const NOTICES_EVERY_MS = 2_000;

export interface NotifierOptions extends Dispatching {
  readonly log: Logger;
  readonly everyMs?: number;
}

/** Sends notices at once and then at intervals, one round at a time. Answers what stops it. */
export function startNotifier(options: NotifierOptions): () => Promise<void> {
  const { log } = options;
  let running: Promise<void> | undefined;
  const once = (): void => {
    running ??= dispatchNotices(options)
      .then(({ failed }) => {
        if (failed > 0) log.warn({ failed }, 'notices were not taken; they are tried again');
      })
      .catch((error: unknown) => {
        // What was claimed is due again when its lease ends.
        log.warn(
          { name: error instanceof Error ? error.name : typeof error },
          'notices not sent in this round',
        );
      })
      .finally(() => {
        running = undefined;
      });
  };
  once();
  const timer = setInterval(once, options.everyMs ?? NOTICES_EVERY_MS);
  return async () => {
    clearInterval(timer);
    await running;
  };
}
