import { defineStep } from '../define-step.js';

export const attachDomain = defineStep({
  name: 'attach-domain',
  title: 'Attach the domain to the site',
  summary: 'Makes the Worker answer under the domain; Cloudflare adds the record and certificate.',
  provider: 'cloudflare',
  tier: 'autonomous',
  costMax: 'nothing',
  action: 'attachDomain',
  patience: 'late',
  reversal: {
    kind: 'compensate',
    activity: 'detachDomain',
    summary: 'detach the domain; its record and certificate go with it',
  },
});
