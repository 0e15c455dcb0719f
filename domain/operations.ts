import type { EffectStep, ProviderName, ReversalKind } from './steps.js';

/** The provider operations a step may use: one word for plan, policy, gateway and activities. */
export interface OperationSpec {
  readonly step: EffectStep;
  readonly provider: ProviderName;
  readonly reversal: ReversalKind;
}

export const OPERATIONS = {
  'customers.create': { step: 'create-customer', provider: 'stripe', reversal: 'compensate' },
  // A free account cannot be deleted through the API by those who may create it.
  'accounts.create': { step: 'link-account', provider: 'cloudflare', reversal: 'mitigate' },
  'accounts.link': { step: 'link-account', provider: 'cloudflare', reversal: 'compensate' },
  'subscriptions.create': {
    step: 'start-subscription',
    provider: 'stripe',
    reversal: 'compensate',
  },
  'registrar.registrations.create': {
    step: 'register-domain',
    provider: 'cloudflare',
    reversal: 'mitigate',
  },
  'dns.records.batch': { step: 'configure-dns', provider: 'cloudflare', reversal: 'compensate' },
  'workers.scripts.upload': { step: 'deploy-site', provider: 'cloudflare', reversal: 'compensate' },
  'workers.domains.update': {
    step: 'attach-domain',
    provider: 'cloudflare',
    reversal: 'compensate',
  },
} as const satisfies Record<string, OperationSpec>;

export type OperationName = keyof typeof OPERATIONS;

export function isOperationName(name: string): name is OperationName {
  return Object.hasOwn(OPERATIONS, name);
}
