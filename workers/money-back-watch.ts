import type { Logger } from 'pino';
import { moneyBackReaders } from '../activities/stripe/money-back.js';
import { handleWakeups, readMoneyBack } from '../gateway/money-back.js';
import type { Parts } from '../gateway/parts.js';
import { databaseNow } from '../store/clock.js';
import { repeating } from './repeating.js';

/** How often a worker looks whether something was called out, in ms. */
const LOOK_EVERY_MS = 5_000;
/** How often everything is read without having been called, in ms of the control database's clock. */
const READ_EVERY_MS = 3_600_000;

/**
 * Handles what providers call out, and reads by itself once an hour what they may have forgotten to. From the worker's
 * own timer; two workers at once come to the same. Answers what stops it.
 */
export function startMoneyBackWatch({
  parts,
  log,
}: {
  readonly parts: Parts;
  readonly log: Logger;
}): () => Promise<void> {
  let readAtMs = Number.NEGATIVE_INFINITY;
  const look = async (): Promise<void> => {
    let { news } = await handleWakeups(parts, moneyBackReaders);
    const nowMs = (await databaseNow(parts.db)).getTime();
    if (nowMs - readAtMs >= READ_EVERY_MS) {
      news += (await readMoneyBack(parts, moneyBackReaders)).news;
      readAtMs = nowMs;
    }
    if (news > 0) log.warn({ news }, 'a bank took or sent money back');
  };
  const unfinished = 'money back not read';
  return repeating({ everyMs: LOOK_EVERY_MS, log, unfinished, atOnce: false }, look);
}
