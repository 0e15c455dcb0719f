import { defineStep } from '../define-step.js';

export const endSubscription = defineStep({
  name: 'start-subscription',
  title: 'Cancel the subscription',
  summary: 'Ends the subscription at once, without a refund.',
  provider: 'stripe',
  tier: 'approve',
  costMax: 'nothing',
  action: 'tearDownSubscription',
  patience: 'late',
  reversal: {
    kind: 'mitigate',
    activity: 'cancelSubscription',
    summary: 'say what is gone: nothing makes it again',
    residue: 'what was torn down stays gone',
  },
});
