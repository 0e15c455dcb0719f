import type { StripeState } from './state.js';

/**
 * What is not known of the real service, or differs from account to account: our choice (the first
 * value), and selectable per world.
 */
export const STRIPE_CHOICES = {
  /** What becomes of a new refund. */
  refunds: ['succeeded', 'pending', 'failed'],
  /** What cancelling an incomplete subscription makes of it. Our choice. */
  'cancel-incomplete': ['incomplete_expired', 'canceled'],
  /** Whether the test card that declines can be attached to a customer at all. */
  'attach-declined-card': ['refused', 'attached'],
  /** How long a key is kept. The provider promises at least 24 hours and no more. */
  'keys-kept-hours': ['24', '48', '1'],
} as const;

export type StripeChoice = keyof typeof STRIPE_CHOICES;
type Value<N extends StripeChoice> = (typeof STRIPE_CHOICES)[N][number];

/** What holds in a world. */
export function choice<N extends StripeChoice>(state: StripeState, name: N): Value<N> {
  const values: readonly Value<N>[] = STRIPE_CHOICES[name];
  const [first] = values;
  const set = values.find((value) => value === state.choices[name]) ?? first;
  if (set === undefined) throw new Error(`the choice ${name} has no values`);
  return set;
}

export function isChoice(name: string): name is StripeChoice {
  return Object.hasOwn(STRIPE_CHOICES, name);
}
