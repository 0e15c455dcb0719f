import type { Logger } from 'pino';
import { inventory } from '../activities/inventory.js';
import type { Parts } from '../gateway/parts.js';
import { reconcileWhenDue } from '../gateway/reconcile.js';
import { repeating } from './repeating.js';

/** How often a worker asks whether the hour is over, in ms. */
const LOOK_EVERY_MS = 60_000;

/**
 * Reconciles once an hour by the control database's clock, from the worker's own timer beside the sweep; of several
 * workers one does it. Answers what stops it.
 */
export function startReconciler({
  parts,
  log,
}: {
  readonly parts: Parts;
  readonly log: Logger;
}): () => Promise<void> {
  // The next pass begins in an hour; nothing is concluded from one that did not finish.
  const unfinished = 'reconcile not finished';
  return repeating({ everyMs: LOOK_EVERY_MS, log, unfinished, atOnce: false }, async () => {
    const outcome = await reconcileWhenDue(parts, inventory);
    if (outcome !== undefined && (outcome.opened > 0 || outcome.unread.length > 0))
      log.warn(
        { opened: outcome.opened, unread: outcome.unread.map(({ area }) => area) },
        'reconcile found something',
      );
  });
}
