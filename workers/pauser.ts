import type { Logger } from 'pino';
import { stripeCollections } from '../activities/stripe/pause-collection.js';
import type { Parts } from '../gateway/parts.js';
import { pauseDue } from '../gateway/pauses.js';
import { repeating } from './repeating.js';

/** A stop asks for subscriptions to be paused; they are within this. In ms. */
const LOOK_EVERY_MS = 500;

/** Pauses subscriptions under a stop that asks for it, and resumes them once it is lifted. Answers what stops it. */
export function startPauser({
  parts,
  log,
}: {
  readonly parts: Parts;
  readonly log: Logger;
}): () => Promise<void> {
  let told = 0;
  const unfinished = 'subscriptions not paused or resumed';
  return repeating({ everyMs: LOOK_EVERY_MS, log, unfinished }, async () => {
    const { left } = await pauseDue(parts, stripeCollections);
    if (left !== told) log.warn({ left }, 'subscriptions are not paused, or run, as they should');
    told = left;
  });
}
