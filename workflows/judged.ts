import type { ResolveVerdict } from '../activities/api.js';
import { failureOf } from './failure-of.js';

/**
 * A verdict over a signed order. One that could not be reached (a provider refuses our credentials, no policy is in
 * force, no answer in time) is a refusal by that name: the run stays where it is, and the order may be sent again.
 */
export async function judged(ask: () => Promise<ResolveVerdict>): Promise<ResolveVerdict> {
  try {
    return await ask();
  } catch (error) {
    return { accepted: false, reason: `not-judged-${failureOf(error).code}` };
  }
}
