import { scopeSchema } from '../domain/documents.js';
import { Failure } from '../domain/errors.js';
import type { RunId } from '../domain/ids.js';
import { openGatesInScope } from '../store/stop-scope.js';
import type { StopRecord } from './door-contract.js';
import type { Parts } from './parts.js';
import { voidGate } from './void-gate.js';

type Fence = Pick<Parts, 'db' | 'door'>;

/**
 * The off switch: fences everything in the scope and makes its open gates void. Needs no signature, for it is the safe
 * direction; who sent it is logged as unproven unless the caller has proved it. Reversals go on.
 * @throws REQUEST_INVALID for a scope of no known form
 */
export async function stop(
  parts: Fence,
  ask: {
    readonly scope: string;
    readonly reason: string;
    readonly by: string;
    readonly proven: boolean;
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

/** A stop over one run, as it comes through Temporal. */
export async function stopRun(
  parts: Fence,
  of: { readonly runId: RunId; readonly by: string; readonly reason: string; mode: string },
): Promise<void> {
  await stop(parts, {
    scope: `run/${of.runId}`,
    reason: `${of.mode}: ${of.reason}`,
    by: of.by,
    proven: false,
  });
}

/** Fenced at, drained at, and what may still end on the wire. */
export const drained = (parts: Fence, scope: string): Promise<StopRecord> =>
  parts.door.drained(scope);
