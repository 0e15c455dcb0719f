import { defineStep } from '../define-step.js';

export const endDomain = defineStep({
  name: 'attach-domain',
  title: 'Detach the domain from the site',
  summary: 'Takes the domain off the Worker; its record and certificate go with it.',
  provider: 'cloudflare',
  tier: 'approve',
  costMax: 'nothing',
  action: 'tearDownDomain',
  patience: 'late',
  reversal: {
    kind: 'mitigate',
    activity: 'detachDomain',
    summary: 'say what is gone: nothing makes it again',
    residue: 'what was torn down stays gone',
  },
});
