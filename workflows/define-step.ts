import type { ProviderName, StepName, Tier } from '../domain/steps.js';
import type { ForwardName, ReversalName } from './proxies.js';

/**
 * One step, as an approver and a reviewer read it. Amounts and parameters are not here: they are in the plan,
 * which the control database keeps and the gateway builds each request from.
 */
export type StepDefinition = EffectDefinition | ReadDefinition;

export interface EffectDefinition extends Described {
  readonly name: Exclude<StepName, 'verify-site'>;
  readonly provider: ProviderName;
  readonly action: ForwardName;
  /** How long to keep trying: `early` gives up soon and unwinds, `late` prefers going forward. */
  readonly patience: 'early' | 'pivot' | 'late';
  readonly reversal: Reversal;
}

export interface ReadDefinition extends Described {
  readonly name: 'verify-site';
  readonly action: 'verifySite';
  readonly reversal: { readonly kind: 'none'; readonly because: string };
}

interface Described {
  /** A few words in the imperative; with the domain it is what the Temporal UI shows. No names, no secrets. */
  readonly title: string;
  /** What changes in the world, in a sentence. */
  readonly summary: string;
  /** The floor where nothing is at stake yet: the built-in policy asks for this or more, in every environment. */
  readonly tier: Tier;
  /** What it can cost at most, in words; the figure is in the plan. */
  readonly costMax: string;
}

/** No default: that something cannot be taken back is written, never implied. */
export type Reversal =
  | { readonly kind: 'compensate'; readonly activity: ReversalName; readonly summary: string }
  | {
      readonly kind: 'mitigate';
      readonly activity: ReversalName;
      readonly summary: string;
      /** What remains, in words an approver reads. */
      readonly residue: string;
    };

/** Checks a step's shape at compile time and keeps its literal types. */
export const defineStep = <const Step extends StepDefinition>(step: Step): Step => step;
