import { defineStep } from '../define-step.js';

export const keepFromRenewing = defineStep({
  name: 'register-domain',
  title: 'Keep the domain from renewing',
  summary: 'Makes sure that the name does not renew; it stays registered until it expires.',
  provider: 'cloudflare',
  tier: 'approve',
  costMax: 'nothing',
  action: 'tearDownRegistration',
  patience: 'late',
  reversal: {
    kind: 'mitigate',
    activity: 'disableAutoRenew',
    summary: 'say what is gone: nothing makes it again',
    residue: 'what was torn down stays gone',
  },
});
