import { defineStep } from '../define-step.js';

export const endCustomer = defineStep({
  name: 'create-customer',
  title: 'Delete the Stripe customer',
  summary: 'Deletes the customer that the run made, unless others use it.',
  provider: 'stripe',
  tier: 'approve',
  costMax: 'nothing',
  action: 'tearDownCustomer',
  patience: 'late',
  reversal: {
    kind: 'mitigate',
    activity: 'deleteCustomer',
    summary: 'say what is gone: nothing makes it again',
    residue: 'what was torn down stays gone',
  },
});
