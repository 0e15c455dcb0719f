import { defineStep } from '../define-step.js';

export const linkAccount = defineStep({
  name: 'link-account',
  title: 'Link the Cloudflare account',
  summary:
    'Links the account whose owner has consented, or creates a free account where there is none.',
  provider: 'cloudflare',
  tier: 'approve',
  costMax: 'nothing',
  action: 'linkAccount',
  patience: 'early',
  reversal: {
    kind: 'mitigate',
    activity: 'releaseAccount',
    summary: 'forget the link to an account that its owner keeps',
    residue: 'a created account stays as an empty free account: only a person can close it',
  },
});
