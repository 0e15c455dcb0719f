import type { Collections } from '../../gateway/pauses.js';
import { markerOf } from './marker.js';

/**
 * `pause_collection`: the subscription goes on, and nothing is taken for it. With `void`, what falls due meanwhile is
 * never owed, so that whoever lifts the stop charges nobody for the time of it.
 */
export const stripeCollections: Collections = {
  seen: async (client, { marker, subscription }) => {
    const seen = await client.subscriptions.retrieve(subscription);
    if (seen.status === 'canceled' || seen.status === 'incomplete_expired') return 'ended';
    // guard: what no longer bears our marker is somebody else's by now.
    if (markerOf(seen) !== marker) return undefined;
    return seen.pause_collection === null ? 'running' : 'paused';
  },
  set: async (client, { key, subscription, to }) => {
    await client.subscriptions.update(
      subscription,
      { pause_collection: to === 'paused' ? { behavior: 'void' } : '' },
      { idempotencyKey: key },
    );
  },
};
