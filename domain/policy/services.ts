import type { EffectStep } from '../steps.js';

/** What a policy allows by name, beside environments and classes of data: a part of a provider. */
export const SERVICES = [
  'stripe.billing',
  'cloudflare.accounts',
  'cloudflare.registrar',
  'cloudflare.dns',
  'cloudflare.workers',
] as const;
export type Service = (typeof SERVICES)[number];

const SERVICE_OF: Readonly<Record<EffectStep, Service>> = {
  'create-customer': 'stripe.billing',
  'link-account': 'cloudflare.accounts',
  'start-subscription': 'stripe.billing',
  'register-domain': 'cloudflare.registrar',
  'configure-dns': 'cloudflare.dns',
  'deploy-site': 'cloudflare.workers',
  'attach-domain': 'cloudflare.workers',
};

/** The service that a step makes use of. */
export function serviceOf(step: EffectStep): Service {
  return SERVICE_OF[step];
}
