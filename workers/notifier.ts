import type { Logger } from 'pino';
import { dispatchNotices, type Dispatching } from '../gateway/notice-dispatch.js';
import { repeating } from './repeating.js';

/** How often a worker looks whether anybody has to be told anything, in ms. */
export const NOTICES_EVERY_MS = 2_000;

export interface NotifierOptions extends Dispatching {
  readonly log: Logger;
  readonly everyMs?: number;
}

/** Sends notices at once and then at intervals, one round at a time. Answers what stops it. */
export function startNotifier(options: NotifierOptions): () => Promise<void> {
  const { everyMs = NOTICES_EVERY_MS, log } = options;
  // What was claimed is due again when its lease ends.
  return repeating({ everyMs, log, unfinished: 'notices not sent in this round' }, async () => {
    const { failed } = await dispatchNotices(options);
    if (failed > 0) log.warn({ failed }, 'notices were not taken; they are tried again');
  });
}
