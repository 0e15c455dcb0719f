import { defineStep } from '../define-step.js';

export const verifySite = defineStep({
  name: 'verify-site',
  title: 'Verify the site',
  summary: 'Reads everything back and fetches the page under its own name: the approved bytes.',
  tier: 'autonomous',
  costMax: 'nothing',
  action: 'verifySite',
  reversal: { kind: 'none', because: 'it only reads' },
});
