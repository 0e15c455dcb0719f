import type { Scope } from '../domain/documents.js';
import { Failure } from '../domain/errors.js';
import { recordRefusal } from '../store/refusals.js';
import { mayStop } from '../store/stop-scope.js';
import type { StopRecord } from './door-contract.js';
import { stop } from './stop.js';
import type { Parts } from './parts.js';

/** Who asks for a stop, as whoever took the message has proved. Register ids. */
export type Stopper =
  | { readonly kind: 'person'; readonly id: string }
  | { readonly kind: 'agent'; readonly id: string }
  | { readonly kind: 'service'; readonly id: string };

/**
 * A stop by somebody who is known. A person who is active may stop anything; an agent itself and its own runs; a
 * service the runs that it asked for and the agents that it speaks for. A refusal is recorded, and stops nothing.
 * @throws ADMISSION_REFUSED, REQUEST_INVALID
 */
export async function stopBy(
  parts: Pick<Parts, 'db' | 'door'>,
  by: Stopper,
  ask: { readonly scope: Scope; readonly reason: string; readonly mode?: 'unwind' | 'hold' },
): Promise<StopRecord> {
  // guard: an agent may be wrong, or not itself: it stops nobody else.
  if (!(await mayStop(parts.db, by, ask.scope))) {
    const detail = `${by.kind} ${by.id} may not stop ${ask.scope}`;
    await recordRefusal(parts.db, { asked: 'stop', reason: 'not-theirs', detail });
    throw new Failure('ADMISSION_REFUSED', detail, { reason: 'not-theirs' });
  }
  return stop(parts, { ...ask, by: by.id, proven: true });
}
