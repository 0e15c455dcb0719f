import { defineStep } from '../define-step.js';

export const deploySite = defineStep({
  name: 'deploy-site',
  title: 'Deploy the site',
  summary: 'Uploads the approved bundle, byte for byte, as a Worker and makes it the live version.',
  provider: 'cloudflare',
  tier: 'autonomous',
  costMax: 'nothing on the free plan',
  action: 'deploySite',
  patience: 'late',
  reversal: {
    kind: 'compensate',
    activity: 'restoreSite',
    summary: 'bring the former version back, or delete a Worker that was not there before',
  },
});
