import type { Digest, EffectId, RunId } from '../domain/ids.js';
import type { EffectStep } from '../domain/steps.js';

/** A row of `door_rows`: an effect with ages instead of instants, since no two clocks are compared. */
export interface SeenEffect {
  readonly effect_id: EffectId;
  readonly run_id: RunId;
  readonly step: EffectStep;
  readonly kind: 'act' | 'undo';
  readonly state: 'claimed' | 'succeeded' | 'failed' | 'unknown' | 'closing' | 'closed';
  readonly digest: Digest | null;
  readonly epoch: number;
  readonly attempt: number;
  readonly settled: boolean;
  readonly send_by_in_ms: number | null;
  readonly object: string | null;
  readonly fields: Readonly<Record<string, string>>;
  readonly captured_minor: number;
  readonly refunded_minor: number;
  readonly stored_error: '402' | '500' | null;
  readonly key_age_ms: number | null;
  readonly surely_absent: boolean;
  readonly tombstone: boolean;
  readonly outcome:
    'reversed' | 'mitigated' | 'never-happened' | 'done-by-hand' | 'given-up' | null;
}
