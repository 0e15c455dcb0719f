import { defineStep } from '../define-step.js';

/** The pivot: once the name is bought, the run goes forward rather than back. */
export const registerDomain = defineStep({
  name: 'register-domain',
  title: 'Register the domain',
  summary: 'Buys exactly the approved name for the approved years, with auto-renew off.',
  provider: 'cloudflare',
  tier: 'sign-off',
  costMax: 'the approved price for all years',
  action: 'registerDomain',
  patience: 'pivot',
  reversal: {
    kind: 'mitigate',
    activity: 'disableAutoRenew',
    summary: 'make sure that it does not renew; open a case for the refund within five days',
    residue: 'the name stays registered and paid for until it expires',
  },
});
