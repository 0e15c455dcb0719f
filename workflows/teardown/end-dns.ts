import { defineStep } from '../define-step.js';

export const endDns = defineStep({
  name: 'configure-dns',
  title: 'Delete the DNS records',
  summary: 'Deletes the records that the run made, and no other.',
  provider: 'cloudflare',
  tier: 'approve',
  costMax: 'nothing',
  action: 'tearDownDns',
  patience: 'late',
  reversal: {
    kind: 'mitigate',
    activity: 'removeDnsRecords',
    summary: 'say what is gone: nothing makes it again',
    residue: 'what was torn down stays gone',
  },
});
