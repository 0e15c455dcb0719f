import type { SeenEffect } from '../store/effect-rows.js';
import type { EffectRow } from './door-contract.js';

/** The row as the gateway's other parts know it. */
export function effectRow(raw: SeenEffect): EffectRow {
  return {
    effectId: raw.effect_id,
    runId: raw.run_id,
    step: raw.step,
    kind: raw.kind,
    state: raw.state,
    digest: raw.digest ?? undefined,
    epoch: raw.epoch,
    attempt: raw.attempt,
    settled: raw.settled,
    sendByInMs: raw.send_by_in_ms ?? undefined,
    object: raw.object ?? undefined,
    fields: raw.fields,
    capturedMinor: raw.captured_minor,
    refundedMinor: raw.refunded_minor,
    storedError: raw.stored_error ?? undefined,
    keyAgeMs: raw.key_age_ms ?? undefined,
    surelyAbsent: raw.surely_absent,
    tombstone: raw.tombstone,
    outcome: raw.outcome ?? undefined,
  };
}
