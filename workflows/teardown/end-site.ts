import { defineStep } from '../define-step.js';

export const endSite = defineStep({
  name: 'deploy-site',
  title: 'Take the site down',
  summary: 'Deletes the Worker, or brings back the version that the run had replaced.',
  provider: 'cloudflare',
  tier: 'approve',
  costMax: 'nothing',
  action: 'tearDownSite',
  patience: 'late',
  reversal: {
    kind: 'mitigate',
    activity: 'restoreSite',
    summary: 'say what is gone: nothing makes it again',
    residue: 'what was torn down stays gone',
  },
});
