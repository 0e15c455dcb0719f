import type { Logger } from 'pino';
import { inventory } from '../activities/inventory.js';
import type { Parts } from '../gateway/parts.js';
import { reconcileWhenDue } from '../gateway/reconcile.js';

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
  let running: Promise<void> = Promise.resolve();
  const once = (): void => {
    running = running
      .then(async () => {
        const outcome = await reconcileWhenDue(parts, inventory);
        if (outcome !== undefined && (outcome.opened > 0 || outcome.unread.length > 0))
          log.warn(
            { opened: outcome.opened, unread: outcome.unread.map(({ area }) => area) },
            'reconcile found something',
          );
      })
      .catch((error: unknown) => {
        // The next pass begins in an hour; nothing is concluded from one that did not finish.
        log.warn(
          { name: error instanceof Error ? error.name : typeof error },
          'reconcile not finished',
        );
      });
  };
  const timer = setInterval(once, LOOK_EVERY_MS);
  return async () => {
    clearInterval(timer);
    await running;
  };
}
