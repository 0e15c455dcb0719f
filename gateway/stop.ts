import { scopeSchema } from '../domain/documents.js';
import { Failure } from '../domain/errors.js';
import type { RunId } from '../domain/ids.js';
import { openGatesInScope } from '../store/stop-scope.js';
import type { LayerName, StopRecord } from './door-contract.js';
import type { Parts } from './parts.js';
import { voidGate } from './void-gate.js';

type Fencing = Pick<Parts, 'db' | 'door'>;

/**
 * The off switch: fences everything in the scope and makes its open gates void. Needs no signature, for it is the safe
 * direction; who sent it is logged as unproven unless the caller has proved it. Reversals go on.
 * @throws REQUEST_INVALID for a scope of no known form
 */
export async function stop(
  parts: Fencing,
  ask: {
    readonly scope: string;
    readonly reason: string;
    readonly by: string;
    readonly proven: boolean;
    /** What is wanted of the runs under it; absent: `unwind`. */
    readonly mode?: 'unwind' | 'hold';
    /** Layers that a test leaves out. */
    readonly off?: readonly LayerName[];
    /** Pauses the subscriptions in the scope too, until it is lifted. */
    readonly pauses?: boolean;
  },
): Promise<StopRecord> {
  const scope = scopeSchema.safeParse(ask.scope);
  if (!scope.success)
    throw new Failure(
      'REQUEST_INVALID',
      'a stop is over all, run/<id>, agent/<id>, principal/<id> or provider/<name>',
    );
  const record = await parts.door.stop({ ...ask, scope: scope.data });
  for (const gateId of await openGatesInScope(parts.db, scope.data))
    await voidGate(parts.db, gateId, `stopped: ${ask.reason}`.slice(0, 500));
  return record;
}

/**
 * A stop over one run, as it comes through Temporal. A hold that a wider one already keeps is not written again: lifting
 * the wider one is to let the run go on.
 */
export async function stopRun(
  parts: Fencing,
  of: {
    readonly runId: RunId;
    readonly by: string;
    readonly reason: string;
    readonly mode: 'unwind' | 'hold';
  },
): Promise<void> {
  if (of.mode === 'hold' && (await parts.door.fences(of.runId)).length > 0) return;
  await stop(parts, {
    scope: `run/${of.runId}`,
    reason: of.reason,
    by: of.by,
    proven: false,
    mode: of.mode,
  });
}

/** Fenced at, drained at, and what may still end on the wire. */
export const drained = (parts: Fencing, scope: string): Promise<StopRecord> =>
  parts.door.drained(scope);
