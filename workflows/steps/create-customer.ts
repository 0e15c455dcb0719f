import { defineStep } from '../define-step.js';

export const createCustomer = defineStep({
  name: 'create-customer',
  title: 'Create the Stripe customer',
  summary:
    'Makes a customer record at Stripe for the principal. A customer that bears our marker is adopted instead.',
  provider: 'stripe',
  tier: 'autonomous',
  costMax: 'nothing',
  action: 'createCustomer',
  patience: 'early',
  reversal: {
    kind: 'compensate',
    activity: 'deleteCustomer',
    summary: 'delete the customer that this run made',
  },
});
