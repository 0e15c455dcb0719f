import { invariant } from './errors.js';
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

/** What takes down again what a completed run made: a step of a run of its own, and never made good. */
export const TEARDOWNS = {
  'teardown.attach-domain': { step: 'attach-domain', provider: 'cloudflare', reversal: 'none' },
  'teardown.deploy-site': { step: 'deploy-site', provider: 'cloudflare', reversal: 'none' },
  'teardown.configure-dns': { step: 'configure-dns', provider: 'cloudflare', reversal: 'none' },
  'teardown.register-domain': { step: 'register-domain', provider: 'cloudflare', reversal: 'none' },
  'teardown.start-subscription': {
    step: 'start-subscription',
    provider: 'stripe',
    reversal: 'none',
  },
  'teardown.create-customer': { step: 'create-customer', provider: 'stripe', reversal: 'none' },
} as const satisfies Record<string, OperationSpec>;

export type TeardownName = keyof typeof TEARDOWNS;

export function isTeardown(name: string): name is TeardownName {
  return Object.hasOwn(TEARDOWNS, name);
}

export function isOperationName(name: string): name is OperationName {
  return Object.hasOwn(OPERATIONS, name);
}

/** Which step and provider an operation belongs to; undefined for a name that is none. */
export function operationSpec(name: string): OperationSpec | undefined {
  if (isTeardown(name)) return TEARDOWNS[name];
  return isOperationName(name) ? OPERATIONS[name] : undefined;
}

/** Whom a step's effect is asked of. */
export function providerOf(step: EffectStep): ProviderName {
  const spec = Object.values<OperationSpec>(OPERATIONS).find((known) => known.step === step);
  invariant(spec, `an operation belongs to ${step}`);
  return spec.provider;
}
