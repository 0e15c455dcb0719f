import { defineStep } from '../define-step.js';

export const startSubscription = defineStep({
  name: 'start-subscription',
  title: 'Start the subscription',
  summary:
    'Subscribes the customer to the approved price and charges the first period, or makes nothing at all.',
  provider: 'stripe',
  tier: 'sign-off',
  costMax: 'the first period at the approved price, tax included',
  action: 'startSubscription',
  patience: 'early',
  reversal: {
    kind: 'mitigate',
    activity: 'cancelSubscription',
    summary: 'cancel at once and refund the whole first charge',
    residue: 'what the card payment cost the platform is not given back',
  },
});
