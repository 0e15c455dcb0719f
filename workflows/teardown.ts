import type { ProvisionInput } from '../activities/api.js';
import type { RunState } from '../domain/plan.js';
import type { EffectDefinition } from './define-step.js';
import { carriedOut } from './provision.js';
import { endDns } from './teardown/end-dns.js';
import { endDomain } from './teardown/end-domain.js';
import { endSite } from './teardown/end-site.js';
import { endSubscription } from './teardown/end-subscription.js';
import { keepFromRenewing } from './teardown/keep-from-renewing.js';
import { endCustomer } from './teardown/end-customer.js';

/** Backwards: what serves others goes first. Each is a step of the run that it takes down, by the same name. */
export const teardownSteps = [
  endDomain,
  endSite,
  endDns,
  keepFromRenewing,
  endSubscription,
  endCustomer,
] as const satisfies readonly EffectDefinition[];

/**
 * Takes down what a completed run made: admitted, planned, approved, carried out, as every run. It is never made good: one
 * that is stopped just stops, and says what is gone and what still stands.
 */
export function teardown(claim: ProvisionInput): Promise<RunState> {
  return carriedOut(claim, teardownSteps);
}
