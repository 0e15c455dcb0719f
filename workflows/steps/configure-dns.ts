import { defineStep } from '../define-step.js';

export const configureDns = defineStep({
  name: 'configure-dns',
  title: 'Set the DNS records',
  summary: 'Adds the records that the request names, all of them or none.',
  provider: 'cloudflare',
  tier: 'autonomous',
  costMax: 'nothing',
  action: 'configureDns',
  patience: 'late',
  reversal: {
    kind: 'compensate',
    activity: 'removeDnsRecords',
    summary: 'delete the records that this run made, and no other',
  },
});
