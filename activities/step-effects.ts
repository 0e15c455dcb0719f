import { effectPair, type StepEffects } from '../gateway/operation.js';
import { attachDomain, detachDomain } from './cloudflare/attach-domain.js';
import { configureDns, removeDnsRecords } from './cloudflare/configure-dns.js';
import { deploySite, restoreSite } from './cloudflare/deploy-site.js';
import {
  createAccount,
  linkAccount,
  releaseAccount,
  unlinkAccount,
} from './cloudflare/link-account.js';
import { disableAutoRenew, registerDomain } from './cloudflare/register-domain.js';
import { createCustomer, deleteCustomer } from './stripe/create-customer.js';
import {
  cancelSubscription,
  endSubscription,
  startSubscription,
} from './stripe/start-subscription.js';

/** Every operation that a plan may name, beside what takes it back. */
export const stepEffects: readonly StepEffects[] = [
  effectPair(createCustomer, deleteCustomer),
  effectPair(createAccount, releaseAccount),
  effectPair(linkAccount, unlinkAccount),
  effectPair(startSubscription, cancelSubscription, endSubscription),
  effectPair(registerDomain, disableAutoRenew),
  effectPair(configureDns, removeDnsRecords),
  effectPair(deploySite, restoreSite),
  effectPair(attachDomain, detachDomain),
];
