import type Stripe from 'stripe';
import { Failure } from '../domain/errors.js';
import { mark } from './deadline.js';
import { leaveSince } from './leave.js';
import type { Parts } from './parts.js';
import { createPauseDoor } from './pause-door.js';
import type { Collection, PauseDoor, Standing } from './pause-door.js';
import { reading } from './reading.js';
import type { Transmission } from './send-once.js';

/** How a subscription's collection is seen and set. Written in activities/stripe/pause-collection.ts. */
export interface Collections {
  /** As it stands; undefined: it no longer bears our marker, somebody else has taken it over. */
  seen(
    client: Stripe,
    of: { readonly subscription: string; readonly marker: string },
  ): Promise<Collection | 'ended' | undefined>;
  /** One request. */
  set(
    client: Stripe,
    of: { readonly subscription: string; readonly to: Collection; readonly key: string },
  ): Promise<void>;
}

/** What one look came to. */
export interface Paused {
  readonly paused: number;
  readonly resumed: number;
  /** Not yet as they are wanted: looked at again. */
  readonly left: number;
}

/**
 * Pauses the subscriptions that a stop wants paused and lets those run again that none does any more, with the
 * credentials of the compensations, which no stop revokes. Idempotent: what stands as wanted is asked for nothing. What
 * cannot be done now stays due.
 */
export async function pauseDue(parts: Parts, collections: Collections): Promise<Paused> {
  const door = createPauseDoor(parts.db);
  let paused = 0;
  let resumed = 0;
  let left = 0;
  for (const standing of await door.due()) {
    try {
      const caller = { runId: standing.runId, reversal: true };
      if (!(await parts.calls.as(caller, () => brought(parts, { door, collections }, standing))))
        left += 1;
      else if (standing.wants === 'paused') paused += 1;
      else resumed += 1;
    } catch (error) {
      // Stripe does not answer, or will not have us: the others have their turn, and this one again later.
      if (!(error instanceof Failure)) throw error;
      left += 1;
    }
  }
  return { paused, resumed, left };
}

interface By {
  readonly door: PauseDoor;
  readonly collections: Collections;
}

/** True once it is known to stand as wanted, or to have ended. */
async function brought(parts: Parts, by: By, standing: Standing): Promise<boolean> {
  const { effectId, attempt, lookedAt, ofOthers, wants } = standing;
  const settle = (state: Collection | 'ended' | 'left'): Promise<boolean> =>
    by.door.settle({ effectId, attempt, state, lookedAt });
  // What others had paused stays as they have left it.
  if (wants === 'running' && ofOthers) return settle('left');
  const seen = await look(parts, by, standing);
  if (seen === undefined) return false;
  if (seen === 'ended') return settle(seen);
  if (seen === wants) return settle(seen);
  // What an earlier attempt may still do is waited for: until then the door lets nothing through.
  if (standing.state !== seen && !(await settle(seen))) return false;
  return asked(parts, by, standing);
}

const look = (parts: Parts, { collections }: By, { effectId, subscription }: Standing) =>
  reading(
    'stripe',
    'the collection of a subscription',
    (error) => parts.readers.stripe.classify(error),
    () =>
      collections.seen(parts.providers.forReading('compensations').stripe, {
        subscription,
        marker: effectId,
      }),
  );

/** One request under the door's leave, and what is read back after it. */
async function asked(parts: Parts, by: By, standing: Standing): Promise<boolean> {
  const { effectId, subscription, wants } = standing;
  const before = mark(parts.clocks);
  const answer = await by.door.begin({
    effectId,
    asks: wants,
    httpTimeoutMs: parts.httpTimeouts.stripe,
    settlingMs: parts.settling.stripe,
  });
  if (answer.verdict !== 'granted') return false;
  const { attempt } = answer;
  const transmission: Transmission = { begun: 0, changes: new Set() };
  const { stripe } = parts.providers.forSending('compensations', {
    deadline: before.deadlineAfter(answer.remainingMs),
    transmission,
    leave: leaveSince(before, parts.clocks, () => by.door.still(effectId, attempt)),
  });
  try {
    // A key for each attempt: a failure that the provider keeps under one would stand for a day.
    const key = `${effectId}/${wants}/${attempt}`;
    await by.collections.set(stripe, { subscription, to: wants, key });
  } catch (error) {
    const { proof } = parts.readers.stripe.classify(error);
    if (transmission.begun === 0 || proof === 'unstored-refusal')
      await by.door.settle({ effectId, attempt, state: 'unsent' });
    // What it did otherwise is read back, now or the next time.
    else if (error instanceof Failure) throw error;
    return false;
  }
  const seen = await look(parts, by, standing);
  return seen === wants && by.door.settle({ effectId, attempt, state: seen });
}
